//! The life of a job: one total table, which every script follows. It may not know how a state is stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a job is in its life: the ten words of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not claimed: due later, in the outbox, offered, in line for a lock, waiting for other jobs; or run, and waiting for
    /// its children. Enters by submit, or by await; leaves by claim, settle or cancel.
    Waiting,
    /// A worker runs it under a lease and a token. Enters by claim; leaves by the worker's finish,
    /// by a cancel request, or when the lease ends.
    Running,
    /// The worker has been asked to stop it. It still runs until the worker says otherwise.
    CancelRequest,
    /// Finished well.
    Done,
    /// Finished with an error, or could never start.
    Error,
    /// Cancelled, not fully executed.
    Cancel,
    /// The lease ended; a follow-up carries on.
    WorkerDead,
    /// The worker stopped gracefully before it was over; a follow-up carries on.
    WorkerShutdown,
    /// The dead worker came back, noticed, and stopped the job.
    WorkerResurrection,
    /// Job and log removed; a tombstone stays for a while.
    Deleted,
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it.
    Claim,
    /// The worker says it finished well.
    Finish,
    /// The worker says it failed.
    Fail,
    /// The worker says it stopped it because it was asked to.
    Stopped,
    /// The worker says it has done its part, and waits for its children.
    Await,
    /// The last of the children that it waits for is over, and none has failed.
    Settle,
    /// The worker shuts down and gives it up.
    Shutdown,
    /// Somebody asks to stop it.
    Cancel,
    /// Its lease ended.
    Expire,
    /// It can never start, because it expired or what it depends on failed; or it waits for children, and one has failed.
    Refuse,
    /// The worker of a lost lease came back and stopped it.
    Resurrect,
    /// Somebody removes it.
    Delete,
}

impl Status {
    /// Every status, in the order of a life.
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

    /// Where `event` leads from here; `None` when it changes nothing.
    #[must_use]
    pub fn next(self, event: Event) -> Option<Status> {
        use Event as E;
        use Status as S;
        match (self, event) {
            (S::Waiting, E::Claim) => Some(S::Running),
            (S::Waiting, E::Cancel) => Some(S::Cancel),
            (S::Waiting, E::Refuse) => Some(S::Error),
            (S::Waiting, E::Settle) => Some(S::Done),
            (S::Running, E::Await) => Some(S::Waiting),
            (S::Running | S::CancelRequest, E::Finish) => Some(S::Done),
            (S::Running | S::CancelRequest, E::Fail) => Some(S::Error),
            (S::Running, E::Shutdown) => Some(S::WorkerShutdown),
            (S::Running, E::Expire) => Some(S::WorkerDead),
            (S::Running, E::Cancel | E::Delete) => Some(S::CancelRequest),
            (S::CancelRequest, E::Stopped | E::Shutdown | E::Expire | E::Await) => Some(S::Cancel),
            (S::WorkerDead, E::Resurrect) => Some(S::WorkerResurrection),
            (S::CancelRequest | S::Deleted, E::Delete) => None,
            (_, E::Delete) => Some(S::Deleted),
            (
                _,
                E::Claim
                | E::Finish
                | E::Fail
                | E::Stopped
                | E::Await
                | E::Settle
                | E::Shutdown
                | E::Cancel
                | E::Expire
                | E::Refuse
                | E::Resurrect,
            ) => None,
        }
    }

    /// True when nothing but removal and resurrection can happen to it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Status::Waiting | Status::Running | Status::CancelRequest)
    }

    /// True while a worker has it.
    #[must_use]
    pub fn is_running(self) -> bool {
        matches!(self, Status::Running | Status::CancelRequest)
    }

    /// The word, the same in Rust, Lua, Redis and JSON.
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

/// The text is no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no status; the statuses are {all}", all = Status::ALL.map(Status::as_str).join(", "))]
pub struct NoStatus(String);

impl FromStr for Status {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| NoStatus(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::fmt::Write as _;

    const EVENTS: [Event; 12] = [
        Event::Claim,
        Event::Finish,
        Event::Fail,
        Event::Stopped,
        Event::Await,
        Event::Settle,
        Event::Shutdown,
        Event::Cancel,
        Event::Expire,
        Event::Refuse,
        Event::Resurrect,
        Event::Delete,
    ];

    #[test]
    fn the_whole_table() {
        let mut table = String::new();
        for status in Status::ALL {
            let moves: Vec<_> = EVENTS
                .into_iter()
                .filter_map(|event| Some(format!("{event:?}->{}", status.next(event)?)))
                .collect();
            writeln!(table, "{status}: {}", moves.join(" ")).unwrap();
        }
        expect![[r#"
            waiting: Claim->running Settle->done Cancel->cancel Refuse->error Delete->deleted
            running: Finish->done Fail->error Await->waiting Shutdown->worker_shutdown Cancel->cancel_request Expire->worker_dead Delete->cancel_request
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
    fn words_read_back_and_final_statuses_stay_final() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            for event in EVENTS {
                let next = status.next(event);
                assert!(!status.is_final() || next.is_none_or(Status::is_final), "{status}");
            }
        }
        assert!("DONE".parse::<Status>().is_err());
    }
}
