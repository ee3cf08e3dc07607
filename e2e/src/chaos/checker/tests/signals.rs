//! Signals that are lost, doubled, or read although another was acknowledged.

use domain::job::{Job, Status};

use super::{NONE, Observations, RecordedRun, job, observations, run, violated, with_follow_up};

const ONE: &str = "at most one signal of a name is acknowledged and read";
const NOT_LOST: &str = "a signal that was acknowledged is read";

/// The violations by a job whose follow-ups have read these signals, if these were acknowledged.
fn violated_by(acknowledged: &[&'static str], read: &[&str]) -> Vec<String> {
    let [first, mut second] = with_follow_up(Status::Done);
    let mut third = job(3, Status::Done);
    (second.follow_up, third.retry_from) = (Some(third.id), second.id);
    second.status = Status::WorkerDead;
    let jobs = [first, second, third];
    let reads = |(job, body): (&Job, &&str)| {
        let at = job.number as i64 * 2;
        RecordedRun { signal: Some((*body).to_owned()), ..run(job, at, at + 1) }
    };
    let mut runs = vec![run(&jobs[0], 0, 1)];
    runs.extend(jobs[1..].iter().zip(read).map(reads));
    let mut observations = Observations { runs, ..observations() };
    observations.ledger.signalled.insert(jobs[0].id, acknowledged.to_vec());
    let mut violated = violated("waits for a signal", &jobs, observations).0;
    violated.retain(|name| [ONE, NOT_LOST].contains(&name.as_str()));
    violated
}

#[test]
fn the_acknowledged_signal_is_read_by_every_further_run() {
    assert_eq!(violated_by(&["1"], &["1", "1"]), NONE);
    // Its answer was lost.
    assert_eq!(violated_by(&[], &["2", "2"]), NONE);
    assert_eq!(violated_by(&[], &["{\"timedOut\":true}"]), NONE);
    assert_eq!(violated_by(&["1"], &["2", "2"]), [NOT_LOST]);
    assert_eq!(violated_by(&["1"], &["{\"timedOut\":true}"]), [NOT_LOST]);
    assert_eq!(violated_by(&["1"], &[]), [NOT_LOST]);
    assert_eq!(violated_by(&["1", "2"], &["1", "1"]), [NOT_LOST, ONE]);
    assert_eq!(violated_by(&["1"], &["1", "2"]), [ONE]);
}
