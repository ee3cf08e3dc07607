//! How a run of a job ended, as its worker reports it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::signal::SignalWait;

/// How a run of a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The action succeeded, with its result.
    Done(Option<Value>),
    /// The action failed.
    Error(Exception),
    /// The action failed after it held back a rate limit.
    HeldBack(Exception),
    /// The worker stopped the run because it was cancelled.
    Cancel,
    /// The action succeeded, with its result; the job waits for its children before it is done.
    Await(Option<Value>),
    /// The action succeeded, with its result; the job waits for a signal, which a new run reads.
    Wait(Option<Value>, SignalWait),
    /// The worker shut down before the run was over.
    Shutdown,
    /// The worker lost its lease, noticed, and stopped the run.
    Resurrected,
}

/// Why a job ended in `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Exception {
    /// A word that programs can match: `ExitCode`, `Signal`, `DeadlineExceeded`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence for people.
    pub message: String,
    /// Further details, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Exception {
    /// Returns an exception without details.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Exception { kind: kind.into(), message: message.into(), detail: None }
    }
}
