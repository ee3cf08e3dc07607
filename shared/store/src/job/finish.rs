//! Records how a run has ended.

use crate::answer::Answer;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{FencingToken, JobId, Outcome, Status};
use domain::signal::SignalWait;

static FINISH: Script = Script::new("finish", include_str!("finish.lua"));

/// First back-off of a retry, ms; it doubles with each failure.
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
    /// The id of the follow-up, should there be one. The same in every attempt to record this end.
    pub follow_up: JobId,
    /// Where in the upper half of its back-off a retry is due, from 0 to 1.
    pub jitter: f64,
}

/// What became of the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishAnswer {
    /// It is recorded as this status.
    Recorded(Status),
    /// It was recorded before.
    Already(Status),
    /// The claim is not this worker's any more.
    Stale,
    /// There is no such job.
    Gone,
    /// The outcome is not allowed in this status.
    Refused(Status),
    /// A record cannot be read, for this reason. The job is over, in `error` unless its end was
    /// recorded before.
    Failed(String),
}

impl Store {
    /// Records ends of runs, in one step each; the answers are in the order of the ends.
    pub async fn finish(&self, ends: &[Finish]) -> Result<Vec<FinishAnswer>, StoreError> {
        let answer = self.call(&FINISH, |call| {
            call.arg(BACKOFF_BASE_MS).arg(BACKOFF_MAX_MS);
            for end in ends {
                let (word, result, exception) = outcome_words(&end.outcome);
                call.arg(end.id.to_string()).arg(end.token.0).arg(word);
                call.arg(result).arg(exception);
                call.arg(end.follow_up.to_string()).arg(format!("{:.4}", end.jitter));
            }
        });
        let decode = |words: &[&str]| match words {
            ["finished", status] => Some(FinishAnswer::Recorded(status.parse().ok()?)),
            ["already", status] => Some(FinishAnswer::Already(status.parse().ok()?)),
            ["refused", status] => Some(FinishAnswer::Refused(status.parse().ok()?)),
            ["stale"] => Some(FinishAnswer::Stale),
            ["gone"] => Some(FinishAnswer::Gone),
            ["failed", reason] => Some(FinishAnswer::Failed((*reason).to_owned())),
            _ => None,
        };
        let one = |answer: Answer| {
            let decoded = answer.decode(decode);
            decoded.unwrap_or_else(|error| FinishAnswer::Failed(error.to_string()))
        };
        Ok(answer.await?.parts()?.into_iter().map(one).collect())
    }
}

/// The word, the result, and the exception or what is waited for, of an outcome.
fn outcome_words(outcome: &Outcome) -> (&'static str, String, String) {
    let json = |result: &Option<serde_json::Value>| {
        result.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let failure = |exception| serde_json::to_string(exception).unwrap_or_default();
    match outcome {
        Outcome::Done(result) => ("done", json(result), String::new()),
        Outcome::Await(result) => ("await", json(result), String::new()),
        Outcome::Wait(result, wait) => ("wait", json(result), wait_words(wait)),
        Outcome::Error(exception) => ("error", String::new(), failure(exception)),
        Outcome::HeldBack(exception) => ("held_back", String::new(), failure(exception)),
        Outcome::Cancel => ("cancel", String::new(), String::new()),
        Outcome::Shutdown => ("shutdown", String::new(), String::new()),
        Outcome::Resurrected => ("resurrect", String::new(), String::new()),
    }
}

/// What a job waits for, as the script reads it. Every role includes those before it, so the least
/// of the roles says the same as all of them.
fn wait_words(wait: &SignalWait) -> String {
    let timeout = wait.timeout.duration().map(|timeout| timeout.as_millis() as u64);
    let (signal, role) = (&wait.signal, wait.roles.iter().min());
    let mut words = serde_json::json!({ "signal": signal });
    if let Some(timeout) = timeout {
        words["timeout"] = timeout.into();
    }
    if let Some(role) = role {
        words["role"] = role.as_str().into();
    }
    words.to_string()
}
