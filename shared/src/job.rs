//! Jobs: what they are called, what was asked, and the one table of their states. Pure: no clock, no I/O.

mod names;
mod span;
mod state;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use names::{ActionName, JobId, NameError, Priority, Timestamp, Token, WorkerId};
pub use span::{Span, SpanError};
pub use state::{Event, NoStatus, Status};

use crate::capacity::{CapacityMap, Class};
use crate::cron::Firing;
use crate::lock::Locks;

/// What was asked for. Written once, when the job is submitted, and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// What to do.
    pub action: ActionName,
    /// What to do it with; `None` when the client gave none (or `null`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Map<String, Value>>,
    /// The need as the client gave it: none, an empty map, or a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_map: Option<CapacityMap>,
    /// From the start of the run; then SIGTERM and, `stop_timeout` later, SIGKILL.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub deadline: Span,
    /// From SIGTERM to SIGKILL.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub stop_timeout: Span,
    /// Which band of its class's queues the job goes through.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// How often it may be tried again in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// While a job with this key is not over, no other is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// When it has not been started by then, it ends as an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How long a retry waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// What happens when its worker is lost.
    #[serde(default, skip_serializing_if = "OnWorkerLost::is_retry")]
    pub on_worker_lost: OnWorkerLost,
    /// Its worker stops it at the end of the lease, without waiting to be told that the lease is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_lease: bool,
    /// Who asked, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_by: Option<String>,
    /// A remark, for people; at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// A ticket, for people; at most 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<String>,
    /// The cron that made it, and for which tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<Firing>,
    /// What it holds while it runs.
    #[serde(default, skip_serializing_if = "Locks::is_empty")]
    pub locks: Locks,
    /// Jobs that have to be over before it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<JobId>,
    /// How they have to be over.
    #[serde(default, skip_serializing_if = "When::is_done")]
    pub when: When,
    /// The job whose child it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<JobId>,
    /// Whose share of its queue it is in; who asked, when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness_key: Option<String>,
}

/// How the jobs that one depends on have to be over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All done; if one cannot succeed, neither can this.
    #[default]
    Done,
    /// All over, whatever came of them.
    Finished,
}

impl When {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_done(&self) -> bool {
        *self == When::Done
    }
}

impl Spec {
    /// An action, with nothing said beyond its name.
    #[must_use]
    pub fn of(action: ActionName) -> Spec {
        Spec {
            action,
            parameters: None,
            capacity_map: None,
            deadline: Span::default(),
            stop_timeout: Span::default(),
            priority: Priority::default(),
            retries: 0,
            unique_key: None,
            expires_at: None,
            backoff: None,
            on_worker_lost: OnWorkerLost::default(),
            strict_lease: false,
            scheduled_by: None,
            comment: None,
            ticket_ref: None,
            cron: None,
            locks: Locks::default(),
            depends_on: Vec::new(),
            when: When::default(),
            parent: None,
            fairness_key: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How long a retry waits: `base`, twice that for the next one, and so on, never more than `max`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// Before the first retry; empty is 1s.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub base: Span,
    /// The longest; empty is 5m.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub max: Span,
}

/// What happens to a job when its worker is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWorkerLost {
    /// A follow-up carries on elsewhere.
    #[default]
    Retry,
    /// Nothing does: it must not run twice.
    Fail,
}

impl OnWorkerLost {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_retry(&self) -> bool {
        *self == OnWorkerLost::Retry
    }
}

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
