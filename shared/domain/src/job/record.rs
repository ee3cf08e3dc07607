//! A job as clients submit it, as the store keeps it, and as a worker claims it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::outcome::Exception;
use super::spec::JobSpec;
use super::status::Status;
use crate::access_tokens::Role;
use crate::capacity::Class;
use crate::lock::{LockName, Locks};
use crate::names::{FencingToken, JobId, SignalName, WorkerId};
use crate::queue::QueueName;
use crate::time::Timestamp;

/// A job to submit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Chosen by the submitter, so that a repeated submission is the same job.
    pub id: JobId,
    /// The class of the job's capacity map.
    pub class: Class,
    /// The earliest start; `None` is now.
    pub scheduled_at: Option<Timestamp>,
    /// The id stays taken for a day, even if the job is deleted before.
    #[serde(default, rename = "once", skip_serializing_if = "std::ops::Not::not")]
    pub reserve_id: bool,
    /// A hash of the request whose idempotency key the id is derived from. For a day, the key of
    /// this id stands for this request only. In a batch, the first job has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<Uuid>,
    /// What was asked for.
    pub spec: JobSpec,
}

/// A job as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Identifies the job.
    pub id: JobId,
    /// Its position in the order of submission, from 1; the v1.0 API's id.
    pub number: u64,
    /// Its position in the state machine.
    pub status: Status,
    /// What was asked for.
    pub spec: JobSpec,
    /// The class of its capacity map.
    pub class: Class,
    /// Whether it is offered through the queue of its action, because not every live worker knows
    /// that action.
    pub action_queue: bool,
    /// The job that this one retries; its own id if it is not a retry.
    pub retry_from: JobId,
    /// The first job of its chain of retries and follow-ups; itself when it is not known.
    pub first: JobId,
    /// The job that continues this one after it failed or was lost.
    pub follow_up: Option<JobId>,
    /// The number of retries left.
    pub retries_left: u32,
    /// The number of this run, from 1.
    pub attempt: u32,
    /// The number of lost workers in a row that led to this record.
    pub crashes: u32,
    /// The number of earlier runs that held back a rate limit and failed, without using up a retry.
    pub held_back: u32,
    /// The worker that claimed it.
    pub worker: Option<WorkerId>,
    /// The number of its claim.
    pub token: Option<FencingToken>,
    /// When it is or was due.
    pub scheduled_at: Timestamp,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub last_updated: Timestamp,
    /// When it was claimed.
    pub started_at: Option<Timestamp>,
    /// When it reached a final status.
    pub finished_at: Option<Timestamp>,
    /// The result of the action.
    pub result: Option<Value>,
    /// Why it ended in `error`.
    pub exception: Option<Exception>,
    /// The progress that the action reported last.
    pub progress: Option<Value>,
    /// Whether it has a checkpoint, from which the next run continues. It is read separately.
    pub has_checkpoint: bool,
    /// The number of debounced submissions that have replaced what was submitted first.
    pub replaced: u32,
    /// The first job that depends on it.
    pub next: Option<JobId>,
    /// The job under which its children are filed: the first of the jobs that it retries, or
    /// itself. `None` until it has a child.
    pub child_group: Option<JobId>,
    /// It waits for jobs that it depends on.
    pub awaits_dependencies: bool,
    /// It has run and waits for its children.
    pub awaits_children: bool,
    /// The signal that it waits for, or waited for, after its run.
    pub awaited_signal: Option<AwaitedSignal>,
    /// The signal that continued its chain last, whose body it reads. It is read separately.
    pub signal: Option<SignalName>,
    /// The number of children that did not succeed.
    pub failed_children: u32,
    /// The lock or the rate limit for which it first waited. `None` if it did not, or if an earlier
    /// build has not written it.
    pub parked_for: Option<LockName>,
    /// The locks that it holds while it runs, or held when it ended: its own, and the limits of its
    /// action and class.
    pub held_locks: Locks,
    /// Who cancelled it and why.
    pub cancelled: Option<Cancellation>,
    /// When it passed from one reason to wait to the next, and when it was asked to stop.
    pub passed: Passed,
}

/// The signal that a job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedSignal {
    /// Its name.
    pub name: SignalName,
    /// Until when the job waits; `None` is without end.
    pub until: Option<Timestamp>,
    /// The least role that may send it; `None` if any that may send signals.
    pub role: Option<Role>,
    /// Who sent it; `None` if it was not sent, or not in time.
    pub sent_by: Option<String>,
}

/// The times at which a job passed from one state to another within its status. Those that it has
/// not reached, or that an earlier build has not written, are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// When the last job that it depends on met its condition.
    pub unblocked_at: Option<Timestamp>,
    /// When it first joined the wait queue of a lock.
    pub parked_at: Option<Timestamp>,
    /// When it was last offered after it had waited for a lock. `None` until it starts.
    pub granted_at: Option<Timestamp>,
    /// When its run ended, if it then waited for its children or a signal.
    pub ran_until: Option<Timestamp>,
    /// When its worker was asked to stop the run.
    pub cancel_at: Option<Timestamp>,
}

impl Job {
    /// Returns the queue that it is offered through.
    #[must_use]
    pub fn queue(&self) -> QueueName {
        let action = self.action_queue.then(|| self.spec.action.clone());
        QueueName { class: self.class.clone(), action, priority: self.spec.priority }
    }

    /// Returns a new job as its submission leaves it.
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
            action_queue: false,
            retry_from: job.id,
            first: job.id,
            follow_up: None,
            retries_left: job.spec.retries,
            attempt: 1,
            crashes: 0,
            held_back: 0,
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
            has_checkpoint: false,
            replaced: 0,
            next: None,
            child_group: None,
            awaits_dependencies: false,
            awaits_children: false,
            awaited_signal: None,
            signal: None,
            failed_children: 0,
            parked_for: None,
            held_locks: Locks::default(),
            cancelled: None,
            passed: Passed::default(),
            spec: job.spec,
        }
    }
}

/// A request to stop a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancellation {
    /// Who requested it; empty if unknown.
    pub by: String,
    /// Why; empty if no reason was given.
    pub reason: String,
}

/// What a worker receives with a claim: everything that a run needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// The number of this claim; every later write carries it.
    pub token: FencingToken,
    /// The number of this run, from 1.
    pub attempt: u32,
    /// What was asked for.
    pub spec: JobSpec,
}
