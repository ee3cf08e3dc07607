//! `capstan jobs logs`.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use shared::job::JobId;

use super::wait::PATIENCE;
use crate::api::{Api, away};
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::{Job, LogLine};

/// Before an API that is away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// What `jobs logs` is told.
#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// The job
    id: JobId,

    /// Go on as lines come, until the job is over
    #[arg(short, long)]
    follow: bool,

    /// The number of the first line, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,

    /// How many lines; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,

    /// Print the API's answer, JSON; with --follow one document a line
    #[arg(long)]
    json: bool,
}

/// Prints a job's log.
pub(crate) async fn run(api: &Api, arguments: &LogsArguments) -> Result<Ending, Failure> {
    if arguments.follow {
        return Follower::new(api, arguments).run().await;
    }
    let (offset, limit) = (arguments.offset.to_string(), arguments.limit.to_string());
    let query = [("offset", offset), ("limit", limit)];
    let document: Value = api.page(&path(arguments.id), &query).await?.body;
    if arguments.json {
        out::say_json(&document)?;
        return Ok(Ending::Well);
    }
    let lines = Vec::<LogLine>::deserialize(document).map_err(|error| unreadable(&error))?;
    if !lines.is_empty() {
        let lines: Vec<&str> = lines.iter().map(text).collect();
        out::say(lines.join("\n"))?;
    }
    Ok(Ending::Well)
}

/// Follows a log to its end, over as many streams as it takes.
struct Follower<'a> {
    api: &'a Api,
    id: JobId,
    json: bool,
    /// The number of the next line.
    next: u64,
    /// How many lines are still wanted.
    left: u64,
    begun: bool,
    away_since: Option<Instant>,
}

impl<'a> Follower<'a> {
    fn new(api: &'a Api, arguments: &LogsArguments) -> Follower<'a> {
        let (id, json, next) = (arguments.id, arguments.json, arguments.offset);
        let left = if arguments.limit == 0 { u64::MAX } else { arguments.limit };
        Follower { api, id, json, next, left, begun: false, away_since: None }
    }

    /// A stream also ends when the API stops. So only one that was begun when the job was over, and
    /// was read to its end, was the last one.
    async fn run(mut self) -> Result<Ending, Failure> {
        let mut over = false;
        loop {
            match self.read_one().await {
                Ok(()) if over || self.left == 0 => return Ok(Ending::Well),
                Ok(()) => {}
                Err(Failure::Away(_)) if self.is_patient() => tokio::time::sleep(PAUSE).await,
                Err(failure) => return Err(failure),
            }
            match self.api.get::<Job>(&format!("/jobs/{}", self.id)).await {
                Ok(job) => over = job.status.is_final(),
                Err(Failure::Away(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// An API that has answered once may be away for a while.
    fn is_patient(&mut self) -> bool {
        let since = self.away_since.get_or_insert_with(Instant::now);
        self.begun && since.elapsed() < PATIENCE
    }

    async fn read_one(&mut self) -> Result<(), Failure> {
        let query = [("stream", "true".to_owned()), ("offset", self.next.to_string())];
        let mut answer = self.api.stream(&path(self.id), &query).await?;
        (self.begun, self.away_since) = (true, None);
        let mut documents = Documents::default();
        while let Some(part) = answer.chunk().await.map_err(away)? {
            for document in documents.after(&part) {
                if self.left == 0 {
                    return Ok(());
                }
                self.print(&document)?;
            }
        }
        Ok(())
    }

    fn print(&mut self, document: &[u8]) -> Result<(), Failure> {
        let line: LogLine = serde_json::from_slice(document).map_err(|error| unreadable(&error))?;
        if self.json {
            out::say(String::from_utf8_lossy(document))?;
        } else {
            out::say(text(&line))?;
        }
        (self.next, self.left) = (line.number + 1, self.left - 1);
        Ok(())
    }
}

fn path(id: JobId) -> String {
    format!("/jobs/{id}/logs")
}

fn text(line: &LogLine) -> &str {
    line.data.trim_end_matches('\n')
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::Away(format!("the API's log cannot be read: {error}"))
}

/// Newline-delimited documents out of parts that are cut anywhere.
#[derive(Default)]
struct Documents {
    begun: Vec<u8>,
}

impl Documents {
    /// The documents that end in this part.
    fn after(&mut self, part: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.begun.extend_from_slice(end);
                    whole.push(std::mem::take(&mut self.begun));
                }
                None => self.begun.extend_from_slice(piece),
            }
        }
        whole.retain(|document| !document.trim_ascii().is_empty());
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_whole_wherever_the_stream_is_cut() {
        let stream =
            "{\"data\":\"ä\",\"lineNum\":0}\n\n{\"data\":\"b\",\"lineNum\":1}\r\n".as_bytes();
        for size in 1..=stream.len() {
            let mut documents = Documents::default();
            let found: Vec<LogLine> = stream
                .chunks(size)
                .flat_map(|part| documents.after(part))
                .map(|document| serde_json::from_slice(&document).unwrap())
                .collect();
            let found: Vec<&str> = found.iter().map(text).collect();
            assert_eq!(found, ["ä", "b"], "in parts of {size}");
        }
    }
}
