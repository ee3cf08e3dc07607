//! The end of a run, as its worker tells it.

use super::answer::{read, unknown};
use super::{Store, StoreError};
use domain::job::{JobId, Outcome, Status, FencingToken};

/// First back-off of a retry, ms; it doubles with each attempt.
const BACKOFF_BASE_MS: u32 = 1_000;
/// Longest back-off of a retry, ms.
const BACKOFF_MAX_MS: u32 = 300_000;

/// The end of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// The job.
    pub id: JobId,
    /// The token of the claim.
    pub token: FencingToken,
    /// How it ended.
    pub outcome: Outcome,
    /// The id of the job that carries on, should there be one. The same in every try to record this end.
    pub follow_up: JobId,
    /// Where in the upper half of its back-off a retry is due, from 0 to 1.
    pub jitter: f64,
}

/// What became of the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Recorded as this status.
    Recorded(Status),
    /// It had been recorded before.
    Already(Status),
    /// The claim is not this worker's any more.
    Stale,
    /// The job is not there any more.
    Gone,
    /// The outcome leads nowhere from this status.
    Refused(Status),
}

impl Store {
    /// Records ends of runs, in one step each; the answers are in the order asked.
    pub async fn finish(&self, ends: &[Finish]) -> Result<Vec<Finished>, StoreError> {
        let answer = self.call(&self.scripts.finish, |call| {
            call.arg(BACKOFF_BASE_MS).arg(BACKOFF_MAX_MS);
            for end in ends {
                let (word, result, exception) = words_of(&end.outcome);
                call.arg(end.id.to_string()).arg(end.token.0).arg(word);
                call.arg(result).arg(exception);
                call.arg(end.follow_up.to_string()).arg(format!("{:.4}", end.jitter));
            }
        });
        let parts = answer.await?.parts()?;
        parts.into_iter().map(|part| finished(&part.words()?)).collect()
    }
}

fn words_of(outcome: &Outcome) -> (&'static str, String, String) {
    match outcome {
        Outcome::Done(result) => {
            let result = result.as_ref().map(ToString::to_string);
            ("done", result.unwrap_or_default(), String::new())
        }
        Outcome::Await(result) => {
            let result = result.as_ref().map(ToString::to_string);
            ("await", result.unwrap_or_default(), String::new())
        }
        Outcome::Error(exception) => {
            ("error", String::new(), serde_json::to_string(exception).unwrap_or_default())
        }
        Outcome::Cancel => ("cancel", String::new(), String::new()),
        Outcome::Shutdown => ("shutdown", String::new(), String::new()),
        Outcome::Resurrected => ("resurrect", String::new(), String::new()),
    }
}

fn finished(words: &[String]) -> Result<Finished, StoreError> {
    let pair: Vec<&str> = words.iter().map(String::as_str).collect();
    match pair[..] {
        ["finished", status] => Ok(Finished::Recorded(read("finish", status)?)),
        ["already", status] => Ok(Finished::Already(read("finish", status)?)),
        ["refused", status] => Ok(Finished::Refused(read("finish", status)?)),
        ["stale"] => Ok(Finished::Stale),
        ["gone"] => Ok(Finished::Gone),
        _ => Err(unknown("finish", words)),
    }
}
