//! The seven states of the reference, and the statuses that each of them covers.

use domain::job::Status;

/// The state of a job, in the order of the reference's enum, by which jobs are sorted.
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

    /// Returns the state of a job in this status.
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

    /// Returns the state with this name, ignoring case.
    pub(super) fn named(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == name.to_uppercase())
    }

    /// Returns the statuses of listed jobs that are in this state.
    pub(super) fn statuses(self) -> Vec<Status> {
        let listed = Status::ALL.into_iter().filter(|status| *status != Status::Deleted);
        listed.filter(|status| State::of(*status) == self).collect()
    }

    /// Returns the name of the state on the wire.
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
    fn every_status_except_deleted_is_in_one_state() {
        let all: Vec<Status> = State::ALL.into_iter().flat_map(State::statuses).collect();
        assert_eq!(all.len(), Status::ALL.len() - 1);
        assert!(Status::ALL.iter().all(|one| *one == Status::Deleted || all.contains(one)));
        assert_eq!(State::Unknown.statuses(), []);
        assert_eq!(State::named("aborting"), Some(State::Aborting));
        assert_eq!(State::named("done"), None);
    }
}
