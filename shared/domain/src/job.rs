//! Jobs: what they are called, what was asked, and the one table of their states. Pure: no clock, no I/O.

mod names;
mod span;
mod spec;
mod state;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use names::{ActionName, JobId, NameError, Priority, Timestamp, Token, WorkerId};
pub use span::{Span, SpanError};
pub use spec::{Backoff, OnWorkerLost, Spec, When};
pub use state::{Event, NoStatus, Status};

use crate::capacity::Class;
use crate::lock::Locks;

/// A job that is about to be submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Made by whoever submits, so that a repeated submission is the same job.
    pub id: JobId,
    /// The class of the spec's need.
    pub class: Class,
    /// Not before this moment; `None` is now.
    pub scheduled_at: Option<Timestamp>,
    /// The id must not be used again within a day, even when its job is gone by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// What is asked.
    pub spec: Spec,
}

/// A job as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name everywhere.
    pub id: JobId,
    /// Its place in the order of submission, from 1; the v1.0 API's id.
    pub number: u64,
    /// Where it is in its life.
    pub status: Status,
    /// What was asked.
    pub spec: Spec,
    /// The class of what it needs.
    pub class: Class,
    /// The job it retries; its own id when it is no retry.
    pub retry_from: JobId,
    /// The job that was made to carry on after this one ended badly.
    pub follow_up: Option<JobId>,
    /// Retries that are left.
    pub retries_left: u32,
    /// Which run this is, from 1.
    pub attempt: u32,
    /// Deaths of workers in a row that led to this record.
    pub crashes: u32,
    /// The worker that claimed it.
    pub worker: Option<WorkerId>,
    /// The number of its claim.
    pub token: Option<Token>,
    /// When it is, or was, due.
    pub scheduled_at: Timestamp,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub last_updated: Timestamp,
    /// When it was claimed.
    pub started_at: Option<Timestamp>,
    /// When it reached a final status.
    pub finished_at: Option<Timestamp>,
    /// What the action answered.
    pub result: Option<Value>,
    /// Why it ended in an error.
    pub exception: Option<Exception>,
    /// How far it is, as the action last said.
    pub progress: Option<Value>,
    /// The first job that depends on it.
    pub next: Option<JobId>,
    /// What its children are filed under, once it has some: it, or the job that it carries on.
    pub family: Option<JobId>,
    /// It waits for its children.
    pub awaits: bool,
    /// How many children did not succeed.
    pub failed_children: u32,
    /// What it holds while it runs, and held when it ended: its own locks, and limits of its action and class.
    pub holds: Locks,
    /// Who asked for its end, and why; empty texts when they did not say.
    pub cancelled: Option<Cancelled>,
}

impl Job {
    /// A new job, as its submission leaves it.
    #[must_use]
    pub fn waiting(
        job: NewJob,
        number: u64,
        created_at: Timestamp,
        scheduled_at: Timestamp,
    ) -> Job {
        Job {
            id: job.id,
            number,
            status: Status::Waiting,
            class: job.class,
            retry_from: job.id,
            follow_up: None,
            retries_left: job.spec.retries,
            attempt: 1,
            crashes: 0,
            worker: None,
            token: None,
            scheduled_at,
            created_at,
            last_updated: created_at,
            started_at: None,
            finished_at: None,
            result: None,
            exception: None,
            progress: None,
            next: None,
            family: None,
            awaits: false,
            failed_children: 0,
            holds: Locks::default(),
            cancelled: None,
            spec: job.spec,
        }
    }
}

/// Who asked for the end of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Who; empty when unknown.
    pub by: String,
    /// Why; empty when nothing was said.
    pub reason: String,
}

/// What the claim gives the worker: all that a run needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// The number of this claim; every later write carries it.
    pub token: Token,
    /// Which run this is, from 1.
    pub attempt: u32,
    /// What was asked.
    pub spec: Spec,
}

/// Why a job ended in an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Exception {
    /// A word to tell cases apart, `ExitCode`, `Signal`, `DeadlineExceeded`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence for people.
    pub message: String,
    /// More, where there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Exception {
    /// An exception without detail.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Exception { kind: kind.into(), message: message.into(), detail: None }
    }
}

/// How a run ended, as its worker says.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It finished well, with what the action answered.
    Done(Option<Value>),
    /// It failed.
    Error(Exception),
    /// It was stopped because that had been asked for.
    Cancel,
    /// It has done its part, with what the action answered, and waits for its children.
    Await(Option<Value>),
    /// Its worker stopped before it was over.
    Shutdown,
    /// Its worker had lost it, came back, and has stopped it.
    Resurrected,
}
