//! `capstan jobs logs`.

use std::time::{Duration, Instant};

use clap::Args;
use client::command::{
    CommandError, CommandOutcome, CommandResult, print_json, print_json_text, print_log_line,
};
use client::wire::{Job, LogLine};
use client::{API_OUTAGE_LIMIT, ApiClient, ClientError};
use domain::job::JobId;
use serde::Deserialize;
use serde_json::Value;

use crate::references::JobReference;

/// Pause before another attempt to reach the API.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// The arguments of `jobs logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// Number or ID of the job
    job: JobReference,

    /// Print new lines as they are written, until the job has finished
    #[arg(short, long)]
    follow: bool,

    /// Number of the first line, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,

    /// Maximum number of lines; 0 is no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,

    /// Print control characters to a terminal as they are, for example colours
    #[arg(long)]
    raw: bool,

    /// Print the API's answer as JSON; with --follow, one document per line
    #[arg(long)]
    json: bool,
}

/// Prints a job's log.
pub(super) async fn run(api: &ApiClient, arguments: &LogsArguments) -> CommandResult {
    let id = arguments.job.resolve(api).await?;
    if arguments.follow {
        Follower::new(api, id, arguments).run().await?;
        return Ok(CommandOutcome::Success);
    }
    let (offset, limit) = (arguments.offset.to_string(), arguments.limit.to_string());
    let query = [("offset", offset), ("limit", limit)];
    let document: Value = api.page(&path(id), &query).await?.body;
    if arguments.json {
        print_json(&document)?;
        return Ok(CommandOutcome::Success);
    }
    let lines = Vec::<LogLine>::deserialize(document);
    let lines = lines.map_err(|error| ClientError::unreadable(&error))?;
    for line in &lines {
        print_log_line(line.text(), arguments.raw)?;
    }
    Ok(CommandOutcome::Success)
}

/// Follows a log to its end, over as many streams as that takes.
struct Follower<'a> {
    api: &'a ApiClient,
    id: JobId,
    raw: bool,
    json: bool,
    /// Number of the next line.
    next: u64,
    /// How many lines may still be printed.
    left: u64,
    has_connected: bool,
    unreachable_since: Option<Instant>,
}

impl<'a> Follower<'a> {
    fn new(api: &'a ApiClient, id: JobId, arguments: &LogsArguments) -> Follower<'a> {
        let LogsArguments { raw, json, offset: next, .. } = *arguments;
        let left = if arguments.limit == 0 { u64::MAX } else { arguments.limit };
        Follower { api, id, raw, json, next, left, has_connected: false, unreachable_since: None }
    }

    /// A stream also ends when the API stops. The log is complete only after a stream that began
    /// when the job had finished has been read to its end.
    async fn run(mut self) -> Result<(), CommandError> {
        let mut job_has_finished = false;
        loop {
            match self.read_stream().await {
                Ok(()) if job_has_finished || self.left == 0 => return Ok(()),
                Ok(()) => {}
                Err(CommandError::Api(ClientError::Unavailable(_))) if self.may_be_restarting() => {
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
            match self.api.get::<Job>(&format!("/jobs/{}", self.id)).await {
                Ok(job) => job_has_finished = job.status.is_final(),
                Err(ClientError::Unavailable(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn may_be_restarting(&mut self) -> bool {
        let since = self.unreachable_since.get_or_insert_with(Instant::now);
        self.has_connected && since.elapsed() < API_OUTAGE_LIMIT
    }

    async fn read_stream(&mut self) -> Result<(), CommandError> {
        let query = [("stream", "true".to_owned()), ("offset", self.next.to_string())];
        let mut answer = self.api.stream(&path(self.id), &query).await?;
        (self.has_connected, self.unreachable_since) = (true, None);
        let mut documents = DocumentSplitter::default();
        while let Some(chunk) = answer.chunk().await.map_err(ClientError::from)? {
            for document in documents.split(&chunk) {
                if self.left == 0 {
                    return Ok(());
                }
                self.print(&document)?;
            }
        }
        Ok(())
    }

    fn print(&mut self, document: &[u8]) -> Result<(), CommandError> {
        let line: LogLine =
            serde_json::from_slice(document).map_err(|error| ClientError::unreadable(&error))?;
        if self.json {
            print_json_text(&String::from_utf8_lossy(document))?;
        } else {
            print_log_line(line.text(), self.raw)?;
        }
        (self.next, self.left) = (line.number + 1, self.left - 1);
        Ok(())
    }
}

fn path(id: JobId) -> String {
    format!("/jobs/{id}/logs")
}

/// Splits a stream that arrives in arbitrary chunks into its newline-delimited documents.
#[derive(Default)]
struct DocumentSplitter {
    incomplete: Vec<u8>,
}

impl DocumentSplitter {
    /// Returns the documents that end in this chunk.
    fn split(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.incomplete.extend_from_slice(end);
                    documents.push(std::mem::take(&mut self.incomplete));
                }
                None => self.incomplete.extend_from_slice(piece),
            }
        }
        documents.retain(|document| !document.trim_ascii().is_empty());
        documents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_complete_wherever_the_stream_is_cut() {
        let stream =
            "{\"data\":\"ä\",\"lineNum\":0}\n\n{\"data\":\"b\",\"lineNum\":1}\r\n".as_bytes();
        for size in 1..=stream.len() {
            let mut splitter = DocumentSplitter::default();
            let lines: Vec<LogLine> = stream
                .chunks(size)
                .flat_map(|chunk| splitter.split(chunk))
                .map(|document| serde_json::from_slice(&document).unwrap())
                .collect();
            let texts: Vec<&str> = lines.iter().map(LogLine::text).collect();
            assert_eq!(texts, ["ä", "b"], "in chunks of {size} bytes");
        }
    }
}
