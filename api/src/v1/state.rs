//! The seven states of the reference, and which of our statuses each of them is.

use domain::job::Status;

/// Where a job is in its life, as the reference says it, in the order of its enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Unknown,
    Scheduled,
    Running,
    Finished,
    Exception,
    Aborted,
    Aborting,
}

impl State {
    const ALL: [State; 7] = [
        State::Unknown,
        State::Scheduled,
        State::Running,
        State::Finished,
        State::Exception,
        State::Aborted,
        State::Aborting,
    ];

    /// What a status is called here.
    pub(super) fn of(status: Status) -> State {
        match status {
            Status::Waiting => State::Scheduled,
            Status::Running => State::Running,
            Status::CancelRequest => State::Aborting,
            Status::Done => State::Finished,
            Status::Cancel => State::Aborted,
            Status::Error
            | Status::WorkerDead
            | Status::WorkerShutdown
            | Status::WorkerResurrection => State::Exception,
            Status::Deleted => State::Unknown,
        }
    }

    /// The state with this name in any case.
    pub(super) fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == name.to_uppercase())
    }

    /// The statuses that jobs in lists may have and that are this state.
    pub(super) fn statuses(self) -> Vec<Status> {
        let listed = Status::ALL.into_iter().filter(|status| *status != Status::Deleted);
        listed.filter(|status| State::of(*status) == self).collect()
    }

    /// The name that travels.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            State::Unknown => "UNKNOWN",
            State::Scheduled => "SCHEDULED",
            State::Running => "RUNNING",
            State::Finished => "FINISHED",
            State::Exception => "EXCEPTION",
            State::Aborted => "ABORTED",
            State::Aborting => "ABORTING",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_but_deleted_is_in_one_state() {
        let all: Vec<Status> = State::ALL.into_iter().flat_map(State::statuses).collect();
        assert_eq!(all.len(), Status::ALL.len() - 1);
        assert!(Status::ALL.iter().all(|one| *one == Status::Deleted || all.contains(one)));
        assert_eq!(State::Unknown.statuses(), []);
        assert_eq!(State::named("aborting"), Some(State::Aborting));
        assert_eq!(State::named("done"), None);
    }
}
