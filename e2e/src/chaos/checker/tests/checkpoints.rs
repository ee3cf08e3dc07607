//! Checkpoints that go back, are lost, or were never saved.

use domain::job::Status;

use super::{NONE, RecordedRun, run, violated_by, with_follow_up};

const NEVER_BACK: &str = "a checkpoint never goes back";
const NOT_LOST: &str = "what a run saved before its recorded end is not lost";
const SAVED: &str = "a run continues from a checkpoint that a run of its chain has saved";

/// The violations by a job of this status that continued and saved these steps, and by its follow-up
/// that continued from `resumed`.
fn violated_by_steps(
    status: Status,
    first: (Option<u64>, Option<u64>),
    resumed: Option<u64>,
) -> Vec<String> {
    let jobs = with_follow_up(status);
    let mut runs = vec![RecordedRun { saved: first.1, ..run(&jobs[0], 1, 2) }, run(&jobs[1], 3, 4)];
    if let Some(step) = first.0 {
        // A run before it, of a job whose record is that of the first.
        runs[0].resumed = Some(step);
    }
    runs[1].resumed = resumed;
    let mut violated = violated_by(&jobs, runs);
    violated.retain(|name| [NEVER_BACK, NOT_LOST, SAVED].contains(&name.as_str()));
    violated
}

#[test]
fn a_run_continues_from_what_was_saved_before_it() {
    use Status::{Error, WorkerDead, WorkerShutdown};
    let check = |status, saved, resumed| violated_by_steps(status, (None, saved), resumed);
    // The last second of a run whose worker died may be lost; a recorded end loses nothing.
    for (status, resumed) in [(WorkerDead, Some(5)), (WorkerDead, Some(3)), (WorkerDead, None)] {
        assert_eq!(check(status, Some(5), resumed), NONE);
    }
    assert_eq!(check(WorkerShutdown, Some(5), Some(5)), NONE);
    assert_eq!(check(Error, Some(5), Some(5)), NONE);
    assert_eq!(check(Error, None, None), NONE);
    assert_eq!(check(Error, Some(5), Some(4)), [NOT_LOST]);
    assert_eq!(check(Error, Some(5), None), [NOT_LOST]);
    assert_eq!(check(WorkerDead, Some(5), Some(6)), [SAVED]);
}

#[test]
fn a_run_does_not_continue_from_less_than_the_run_before_it() {
    let check = |resumed| violated_by_steps(Status::WorkerDead, (Some(3), Some(7)), resumed);
    // No run has saved the step from which the first run continued.
    assert_eq!(check(Some(3)), [SAVED]);
    assert_eq!(check(Some(2)), [NEVER_BACK, SAVED]);
    assert_eq!(check(None), [NEVER_BACK, SAVED]);
}

#[test]
fn a_retry_of_a_job_that_succeeded_starts_from_the_beginning() {
    let check = |resumed| violated_by_steps(Status::Done, (None, Some(5)), resumed);
    assert_eq!(check(None), NONE);
    assert_eq!(check(Some(5)), [SAVED]);
}
