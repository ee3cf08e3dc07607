//! The log and the progress of a job: written by its run, read by anyone.

use std::fmt;
use std::time::Duration;

use redis::streams::{StreamId, StreamRangeReply};
use serde_json::Value;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{FencingToken, JobId, Timestamp};

static LOG: Script = Script::new("log", include_str!("log.lua"));
static PROGRESS: Script = Script::new("progress", include_str!("progress.lua"));

/// How many bytes the log of a job may have.
const LOG_LIMIT_BYTES: u32 = 4 * 1024 * 1024;

/// Where a line of a log comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSource {
    /// The standard output of the command, or the action itself.
    Stdout,
    /// The standard error of the command.
    Stderr,
    /// Capstan itself.
    Capstan,
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogSource::Stdout => "stdout",
            LogSource::Stderr => "stderr",
            LogSource::Capstan => "capstan",
        })
    }
}

/// A line to add to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogLine {
    /// Where it comes from.
    pub source: LogSource,
    /// How long ago it was written.
    pub age: Duration,
    /// Its text, without the end of line.
    pub text: String,
}

impl NewLogLine {
    /// A line that is written now.
    #[must_use]
    pub fn now(source: LogSource, text: impl Into<String>) -> NewLogLine {
        NewLogLine { source, age: Duration::ZERO, text: text.into() }
    }
}

/// What became of added lines, or of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendAnswer {
    /// All is recorded.
    Recorded,
    /// The log has reached its limit; the lines beyond are dropped.
    Cut,
    /// The claim is not this worker's any more, or the run is over.
    Stale,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Where it comes from: `stdout`, `stderr`, or `capstan`.
    pub source: String,
    /// Its text, without the end of line.
    pub text: String,
}

impl Store {
    /// Adds lines to the log of a running job; `first` is the number of the first of them.
    pub async fn append_log(
        &self,
        id: JobId,
        token: FencingToken,
        first: u64,
        lines: &[NewLogLine],
    ) -> Result<AppendAnswer, StoreError> {
        let answer = self.call(&LOG, |call| {
            call.arg(id.to_string()).arg(token.0).arg(first).arg(LOG_LIMIT_BYTES);
            for line in lines {
                let age_ms = line.age.as_millis() as u64;
                call.arg(line.source.to_string()).arg(age_ms).arg(&line.text);
            }
        });
        answer.await?.decode(|words| match words {
            ["ok"] => Some(AppendAnswer::Recorded),
            ["cut"] => Some(AppendAnswer::Cut),
            ["stale"] => Some(AppendAnswer::Stale),
            _ => None,
        })
    }

    /// Records how far a running job is.
    pub async fn progress(
        &self,
        id: JobId,
        token: FencingToken,
        progress: &Value,
    ) -> Result<AppendAnswer, StoreError> {
        let answer = self.call(&PROGRESS, |call| {
            call.arg(id.to_string()).arg(token.0).arg(progress.to_string());
        });
        answer.await?.decode(|words| match words {
            ["ok"] => Some(AppendAnswer::Recorded),
            ["stale"] => Some(AppendAnswer::Stale),
            _ => None,
        })
    }

    /// Lines of a job's log from number `offset` on, at most `limit`.
    pub async fn log_lines(
        &self,
        id: JobId,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys.log(id)).arg(offset.saturating_add(1)).arg("+");
        command.arg("COUNT").arg(limit.min(i64::MAX as u64));
        let mut connection = self.connection.clone();
        let reply: StreamRangeReply = command.query_async(&mut connection).await?;
        Ok(reply.ids.iter().map(log_line).collect())
    }

    /// For each log, its lines from this number on, at most `limit`.
    pub async fn log_tails(
        &self,
        from: &[(JobId, u64)],
        limit: u64,
    ) -> Result<Vec<Vec<LogLine>>, StoreError> {
        if from.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for (id, first) in from {
            let range = pipe.cmd("XRANGE").arg(self.keys.log(*id)).arg(first.saturating_add(1));
            range.arg("+").arg("COUNT").arg(limit);
        }
        let mut connection = self.connection.clone();
        let replies: Vec<StreamRangeReply> = pipe.query_async(&mut connection).await?;
        Ok(replies.into_iter().map(|log| log.ids.iter().map(log_line).collect()).collect())
    }

    /// How many lines each log has.
    pub async fn log_lengths(&self, ids: &[JobId]) -> Result<Vec<u64>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("XLEN").arg(self.keys.log(*id));
        }
        Ok(pipe.query_async(&mut self.connection.clone()).await?)
    }
}

fn log_line(entry: &StreamId) -> LogLine {
    let position = entry.id.split('-').next().and_then(|id| id.parse::<u64>().ok());
    LogLine {
        number: position.unwrap_or(1).saturating_sub(1),
        at: Timestamp::from_ms(entry.get("at").unwrap_or(0)),
        source: entry.get("source").unwrap_or_default(),
        text: entry.get("text").unwrap_or_default(),
    }
}
