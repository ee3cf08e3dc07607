//! The state machine of a job, as one total function. The store's scripts follow it; a test
//! compares the two.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status of a job, one of the ten words of the reference API. `Waiting`, `Running` and
/// `CancelRequest` are live; the others are final, apart from deletion and resurrection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No worker has claimed the job: it is due later, in the outbox, offered to workers, waiting
    /// for a lock, or waiting for other jobs. A job that has run and awaits its children or a signal
    /// is waiting, too.
    ///
    /// Entered by submission, which includes retries, follow-ups and the firings of crons, and from
    /// `Running` when the job awaits its children or a signal. Left when a worker claims the job,
    /// when it is cancelled or deleted, when it expires or a dependency fails, when the last child
    /// ends, and when the signal arrives or its time is over.
    Waiting,
    /// A worker runs the job under a lease and a fencing token.
    ///
    /// Entered by a claim. Left when the worker reports the outcome or shuts down, when a client
    /// cancels or deletes the job, and when the lease ends.
    Running,
    /// The worker has been asked to stop the job and has not confirmed it yet. The job still runs.
    ///
    /// Entered from `Running` by cancel or delete. Left when the worker reports the outcome, which
    /// may still be success or an error, when it shuts down, and when the lease ends.
    CancelRequest,
    /// The job succeeded, and so did the children that it waited for. If it waited for a signal, a
    /// follow-up continues it.
    ///
    /// Entered when the worker reports success, when the last awaited child ends, and when the
    /// awaited signal arrives or its time is over. Left by deletion only.
    Done,
    /// The job failed, ran past its deadline, or could not start because it expired or a dependency
    /// failed.
    ///
    /// Entered when the worker reports an error, and from `Waiting`. Left by deletion only; a retry
    /// is a new job.
    Error,
    /// The job was cancelled and not executed in full.
    ///
    /// Entered from `Waiting` at once, from `CancelRequest` when the run has stopped, and from
    /// `Running` when it has stopped on a request that Redis has lost. Left by deletion only.
    Cancel,
    /// The lease of the worker ended, or the worker no longer knows the run because Redis has lost
    /// writes. The record does not continue; a follow-up does, unless the job forbids it.
    ///
    /// Entered from `Running` by the lease reaper, or after a heartbeat. Left if the worker comes
    /// back, and by deletion.
    WorkerDead,
    /// The worker shut down gracefully before the run was over. A follow-up continues the job.
    ///
    /// Entered from `Running`. Left by deletion only.
    WorkerShutdown,
    /// The worker of a lost lease came back, noticed the loss and stopped the run.
    ///
    /// Entered from `WorkerDead`. Left by deletion only.
    WorkerResurrection,
    /// The job and its log have been removed. A tombstone remains for a while.
    ///
    /// Entered by deletion from every status that is not running. Never left.
    Deleted,
}

/// An input of the state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// A worker claims the job.
    Claim,
    /// The worker reports success.
    Finish,
    /// The worker reports an error.
    Fail,
    /// The worker reports that it stopped the run on request.
    Stopped,
    /// The worker reports success, and the job awaits its children or a signal.
    Await,
    /// The last awaited child ended, and none failed.
    ChildrenDone,
    /// The awaited signal arrived, or its time is over.
    Signal,
    /// The worker shuts down and gives the job up.
    Shutdown,
    /// A client cancels the job.
    Cancel,
    /// The lease ended, or the worker no longer knows the run.
    Expire,
    /// The job cannot start because it expired or a dependency failed; or it awaits its children
    /// and one failed.
    Refuse,
    /// The worker of a lost lease stopped the run.
    Resurrect,
    /// A client deletes the job.
    Delete,
}

impl Status {
    /// Every status, the live ones first.
    pub const ALL: [Status; 10] = [
        Status::Waiting,
        Status::Running,
        Status::CancelRequest,
        Status::Done,
        Status::Error,
        Status::Cancel,
        Status::WorkerDead,
        Status::WorkerShutdown,
        Status::WorkerResurrection,
        Status::Deleted,
    ];

    /// Returns the status after a transition, or `None` if the transition does not apply to this
    /// status.
    #[must_use]
    pub fn next(self, transition: Transition) -> Option<Status> {
        use Status as S;
        use Transition as T;
        match (self, transition) {
            (S::Waiting, T::Claim) => Some(S::Running),
            (S::Waiting, T::Cancel) => Some(S::Cancel),
            (S::Waiting, T::Refuse) => Some(S::Error),
            (S::Waiting, T::ChildrenDone | T::Signal) => Some(S::Done),
            (S::Running, T::Await) => Some(S::Waiting),
            (S::Running | S::CancelRequest, T::Finish) => Some(S::Done),
            (S::Running | S::CancelRequest, T::Fail) => Some(S::Error),
            (S::Running, T::Shutdown) => Some(S::WorkerShutdown),
            (S::Running, T::Expire) => Some(S::WorkerDead),
            (S::Running, T::Cancel | T::Delete) => Some(S::CancelRequest),
            // The worker was asked to stop it, and Redis has lost the request.
            (S::Running, T::Stopped) => Some(S::Cancel),
            (S::CancelRequest, T::Stopped | T::Shutdown | T::Expire | T::Await) => Some(S::Cancel),
            (S::WorkerDead, T::Resurrect) => Some(S::WorkerResurrection),
            (S::CancelRequest | S::Deleted, T::Delete) => None,
            (_, T::Delete) => Some(S::Deleted),
            (
                _,
                T::Claim
                | T::Finish
                | T::Fail
                | T::Stopped
                | T::Await
                | T::ChildrenDone
                | T::Signal
                | T::Shutdown
                | T::Cancel
                | T::Expire
                | T::Refuse
                | T::Resurrect,
            ) => None,
        }
    }

    /// Returns true if only deletion or resurrection can still change the status.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Status::Waiting | Status::Running | Status::CancelRequest)
    }

    /// Returns true while a worker runs the job.
    #[must_use]
    pub fn is_running(self) -> bool {
        matches!(self, Status::Running | Status::CancelRequest)
    }

    /// The word that Lua, Redis and JSON use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Waiting => "waiting",
            Status::Running => "running",
            Status::CancelRequest => "cancel_request",
            Status::Done => "done",
            Status::Error => "error",
            Status::Cancel => "cancel",
            Status::WorkerDead => "worker_dead",
            Status::WorkerShutdown => "worker_shutdown",
            Status::WorkerResurrection => "worker_resurrection",
            Status::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is not a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid status; the statuses are {all}", all = Status::ALL.map(Status::as_str).join(", "))]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownStatus(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::fmt::Write as _;

    const TRANSITIONS: [Transition; 13] = [
        Transition::Claim,
        Transition::Finish,
        Transition::Fail,
        Transition::Stopped,
        Transition::Await,
        Transition::ChildrenDone,
        Transition::Signal,
        Transition::Shutdown,
        Transition::Cancel,
        Transition::Expire,
        Transition::Refuse,
        Transition::Resurrect,
        Transition::Delete,
    ];

    #[test]
    fn the_state_machine_is_this_table() {
        let mut table = String::new();
        for status in Status::ALL {
            let next: Vec<_> = TRANSITIONS
                .into_iter()
                .filter_map(|input| Some(format!("{input:?}->{}", status.next(input)?)))
                .collect();
            writeln!(table, "{status}: {}", next.join(" ")).unwrap();
        }
        expect![[r#"
            waiting: Claim->running ChildrenDone->done Signal->done Cancel->cancel Refuse->error Delete->deleted
            running: Finish->done Fail->error Stopped->cancel Await->waiting Shutdown->worker_shutdown Cancel->cancel_request Expire->worker_dead Delete->cancel_request
            cancel_request: Finish->done Fail->error Stopped->cancel Await->cancel Shutdown->cancel Expire->cancel
            done: Delete->deleted
            error: Delete->deleted
            cancel: Delete->deleted
            worker_dead: Resurrect->worker_resurrection Delete->deleted
            worker_shutdown: Delete->deleted
            worker_resurrection: Delete->deleted
            deleted: 
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn words_parse_back_and_a_final_status_leads_only_to_final_ones() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            for transition in TRANSITIONS {
                let next = status.next(transition);
                assert!(!status.is_final() || next.is_none_or(Status::is_final), "{status}");
            }
        }
        assert!("DONE".parse::<Status>().is_err());
    }
}
