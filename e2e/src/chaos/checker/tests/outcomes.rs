//! What becomes of jobs, and when they run.

use domain::job::{GoDuration, Job, OnWorkerLost, Status, Timestamp};
use serde_json::json;

use super::*;
use crate::workload::OF_A_CRON;

#[test]
fn a_job_that_ran_once_and_is_done_violates_nothing() {
    let done = job(1, Status::Done);
    assert_eq!(violated_by(std::slice::from_ref(&done), vec![run(&done, 1, 2)]), NONE);
}

#[test]
fn a_job_that_never_ran_or_never_finished_is_found() {
    let never_ran = job(1, Status::Done);
    assert_eq!(violated_by(&[never_ran], vec![]), ["what is recorded is what ran"]);
    let unfinished = job(2, Status::Running);
    let expected =
        ["a job ends with an allowed outcome", "an acknowledged job reaches one final status"];
    assert_eq!(violated_by(&[unfinished], vec![]), expected);
}

#[test]
fn a_job_that_ran_twice_is_found() {
    let done = job(1, Status::Done);
    let runs = vec![run(&done, 1, 2), run(&done, 3, 4)];
    assert_eq!(violated_by(&[done], runs), ["at most one run per job id and token"]);
}

#[test]
fn overlapping_runs_are_counted_and_found_unless_the_lease_was_lost() {
    const INVARIANT: &str = "a follow-up starts after its job ended or its worker was lost";
    for (status, expected) in [(Status::WorkerDead, false), (Status::WorkerShutdown, true)] {
        let jobs = with_follow_up(status);
        let runs = overlapping_runs(&jobs);
        let observations = Observations { runs, ..observations() };
        let (violated, overlaps) = violated("plain", &jobs, observations);
        assert_eq!(violated.contains(&INVARIANT.to_owned()), expected, "{status}");
        assert_eq!(overlaps, 1, "{status}");
    }
}

#[test]
fn a_cancelled_job_that_starts_or_goes_on_is_found() {
    const INVARIANT: &str = "an acknowledged cancellation holds";
    let cancelled_at_5_s = |job: &Job| {
        let mut observations = observations();
        if job.status == Status::Done {
            observations.runs = vec![run(job, 6, 7)];
        }
        observations.ledger.cancelled_us.insert(job.id, 5_000_000);
        violated("cancelled while running", std::slice::from_ref(job), observations).0
    };
    let mut cancelled = job(1, Status::Cancel);
    (cancelled.started_at, cancelled.finished_at) = (Some(seconds(4)), Some(seconds(6)));
    assert_eq!(cancelled_at_5_s(&cancelled), NONE);
    cancelled.started_at = Some(seconds(6));
    assert_eq!(cancelled_at_5_s(&cancelled), [INVARIANT], "started too late");
    (cancelled.started_at, cancelled.token) = (None, None);
    cancelled.finished_at = Some(seconds(8));
    assert_eq!(cancelled_at_5_s(&cancelled), [INVARIANT], "waited too long");
    let mut done = job(2, Status::Done);
    (done.started_at, done.finished_at) = (Some(seconds(6)), Some(seconds(7)));
    assert_eq!(cancelled_at_5_s(&done), [INVARIANT], "ran");
}

#[test]
fn a_deleted_job_that_still_exists_is_found() {
    let deleted = |job: &Job, runs: Vec<RecordedRun>| {
        let mut observations = Observations { runs, ..observations() };
        observations.ledger.deleted.insert(job.id);
        violated("deleted when finished", std::slice::from_ref(job), observations).0
    };
    let exists = job(1, Status::Done);
    let expected = ["an acknowledged deletion holds"];
    assert_eq!(deleted(&exists, vec![run(&exists, 1, 2)]), expected);
    let mut tombstone = job(2, Status::Deleted);
    let runs = vec![run(&tombstone, 1, 2)];
    tombstone.token = None;
    assert_eq!(deleted(&tombstone, runs), NONE);
}

#[test]
fn two_jobs_of_a_unique_key_or_of_an_idempotency_key_are_found() {
    let two = |change: fn(&mut Job)| {
        let mut jobs = [job(1, Status::Done), job(2, Status::Done)];
        for job in &mut jobs {
            job.created_at = seconds(job.number as i64 - 1);
            job.finished_at = Some(seconds(job.number as i64));
            change(job);
        }
        violated_by(&jobs, vec![run(&jobs[0], 1, 2), run(&jobs[1], 3, 4)])
    };
    assert_eq!(two(|job| job.spec.unique_key = Some("key".into())), NONE);
    let at_once = |job: &mut Job| {
        job.spec.unique_key = Some("key".into());
        job.created_at = seconds(0);
    };
    assert_eq!(two(at_once), ["a unique key has at most one unfinished job"]);
    let marked = two(|job| job.spec.comment = Some("once 17 0".into()));
    assert_eq!(marked, ["an Idempotency-Key creates its jobs once"]);
}

#[test]
fn ticks_without_a_job_or_with_two_are_found() {
    let with_ticks = |ticks: &[i64]| {
        let of_tick = |(number, tick): (u64, &i64)| {
            let mut job = job(number, Status::Done);
            let firing = json!({"cron": "c", "tick": format!("1970-01-01T00:00:0{tick}Z")});
            job.spec.cron = Some(serde_json::from_value(firing).unwrap());
            job
        };
        let jobs: Vec<Job> = (1..).zip(ticks).map(of_tick).collect();
        let start = |job: &Job| 20 + 2 * job.number as i64;
        let runs = jobs.iter().map(|job| run(job, start(job), start(job) + 1)).collect();
        violated(OF_A_CRON, &jobs, Observations { runs, ..observations() }).0
    };
    assert_eq!(with_ticks(&[1, 2, 3]), NONE);
    assert_eq!(with_ticks(&[1, 3]), ["no firing is missed"]);
    assert_eq!(with_ticks(&[1, 2, 2]), ["a firing creates one job"]);
}

#[test]
fn a_strict_job_beside_its_follow_up_and_a_forbidden_follow_up_are_found() {
    let without_capacity = |violated: Vec<String>| -> Vec<String> {
        violated.into_iter().filter(|name| !name.contains("exceeds its capacity")).collect()
    };
    let mut jobs = with_follow_up(Status::WorkerDead);
    jobs[0].spec.strict_lease = true;
    let violated = without_capacity(violated_by(&jobs, overlapping_runs(&jobs)));
    assert_eq!(violated, ["a job with a strict lease never runs beside its follow-up"]);
    jobs[0].spec.strict_lease = false;
    jobs[0].spec.on_worker_lost = OnWorkerLost::Fail;
    let violated = without_capacity(violated_by(&jobs, overlapping_runs(&jobs)));
    assert_eq!(violated, ["a job with onWorkerLost=fail has no follow-up"]);
}

#[test]
fn a_job_that_is_not_given_up_retries_too_early_or_runs_expired_is_found() {
    let mut crashing = job(1, Status::WorkerDead);
    crashing.crashes = 4;
    let expected = ["a job that kills its workers is given up"];
    assert_eq!(violated_by(&[crashing], vec![]), expected);

    let mut jobs = with_follow_up(Status::Error);
    let base: GoDuration = "2s".parse().unwrap();
    jobs[0].spec.backoff = Some(serde_json::from_value(json!({"base": base})).unwrap());
    jobs[0].finished_at = Some(seconds(0));
    jobs[1].scheduled_at = Timestamp::from_ms(900);
    let runs = vec![run(&jobs[1], 1, 2)];
    let observations = Observations { runs, ..observations() };
    let violated = violated("fails and is retried", &jobs, observations).0;
    let expected = "a retry waits as long as its backoff";
    assert!(violated.contains(&expected.to_owned()), "{violated:?}");

    let mut expired = job(1, Status::Done);
    expired.started_at = Some(seconds(1));
    expired.spec.expires_at = expired.started_at;
    let runs = vec![run(&expired, 1, 2)];
    assert_eq!(violated_by(&[expired], runs), ["an expired job does not run"]);
}
