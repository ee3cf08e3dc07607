//! What a running job says: its log and its progress.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::answer::unknown;
use super::{Store, StoreError};
use domain::job::{JobId, FencingToken};

/// How many bytes a job's log may have.
const LOG_LIMIT_BYTES: u32 = 4 * 1024 * 1024;

/// Where a line of a log comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The command's standard output, or the action's own words.
    Stdout,
    /// The command's standard error.
    Stderr,
    /// Capstan itself.
    Capstan,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Stdout => "stdout",
            Source::Stderr => "stderr",
            Source::Capstan => "capstan",
        })
    }
}

/// A line that is to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it comes from.
    pub source: Source,
    /// How long ago it was said.
    pub age: Duration,
    /// Its text, without the end of line.
    pub text: String,
}

impl Line {
    /// A line that is said now.
    #[must_use]
    pub fn now(source: Source, text: impl Into<String>) -> Line {
        Line { source, age: Duration::ZERO, text: text.into() }
    }
}

/// What became of added lines, or of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All are recorded.
    All,
    /// The log has reached its limit; what was over is cut.
    Cut,
    /// The claim is not this worker's any more, or the run is over.
    Stale,
}

impl Store {
    /// Puts lines behind those that a job's log has; `first` is the number of the first of them.
    pub async fn log(
        &self,
        id: JobId,
        token: FencingToken,
        first: u64,
        lines: &[Line],
    ) -> Result<Appended, StoreError> {
        let answer = self.call(&self.scripts.log, |call| {
            call.arg(id.to_string()).arg(token.0).arg(first).arg(LOG_LIMIT_BYTES);
            for line in lines {
                let age_ms = line.age.as_millis() as u64;
                call.arg(line.source.to_string()).arg(age_ms).arg(&line.text);
            }
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["ok"] => Ok(Appended::All),
            ["cut"] => Ok(Appended::Cut),
            ["stale"] => Ok(Appended::Stale),
            _ => Err(unknown("log", &words)),
        }
    }

    /// Records how far a running job is.
    pub async fn progress(
        &self,
        id: JobId,
        token: FencingToken,
        progress: &Value,
    ) -> Result<Appended, StoreError> {
        let answer = self.call(&self.scripts.progress, |call| {
            call.arg(id.to_string()).arg(token.0).arg(progress.to_string());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["ok"] => Ok(Appended::All),
            ["stale"] => Ok(Appended::Stale),
            _ => Err(unknown("progress", &words)),
        }
    }
}
