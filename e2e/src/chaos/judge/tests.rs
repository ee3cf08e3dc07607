//! The judge itself: each wrong that it is there for is found, and what is allowed is not.

use std::collections::{BTreeMap, HashMap};

use shared::capacity::Class;
use shared::job::{Job, JobId, Status, Timestamp, Token};

use super::judge;
use crate::evidence::Evidence;
use crate::history::History;
use crate::load::{Asked, Book};
use crate::mix::KINDS;
use crate::trace::{ACTION, Run};

const PID: u32 = 1;

fn job(number: u64, status: Status) -> Job {
    let (id, at) = (JobId::random(), Timestamp::from_ms(0));
    let spec = serde_json::json!({"action": ACTION, "capacityMap": {"cpu": 1}});
    let spec: shared::job::Spec = serde_json::from_value(spec).unwrap();
    Job {
        id,
        number,
        status,
        class: Class::of(spec.capacity_map.as_ref()).unwrap(),
        spec,
        retry_from: id,
        follow_up: None,
        retries_left: 0,
        attempt: 1,
        crashes: 0,
        worker: None,
        token: Some(Token(number)),
        scheduled_at: at,
        created_at: at,
        last_updated: at,
        started_at: Some(at),
        finished_at: None,
        result: None,
        exception: None,
        progress: None,
        cancelled: None,
    }
}

/// A run of this job with these start and end, seconds.
fn run(job: &Job, start: i64, end: i64) -> Run {
    let end = Some((end * 1_000_000, "well".to_owned()));
    let token = job.token.unwrap();
    Run { id: job.id, token, worker_pid: PID, start_us: start * 1_000_000, end }
}

/// The first words of the invariants that are violated, without those about the store, which is empty here.
fn found(jobs: &[Job], runs: Vec<Run>) -> (Vec<String>, usize) {
    let log = std::env::temp_dir().join(format!("{}.chaos", JobId::random()));
    let history = History::begin(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    let asked = Asked { kind: &KINDS[0], retries: 0 };
    let firsts = jobs.iter().filter(|job| job.retry_from == job.id);
    let evidence = Evidence {
        book: Book { jobs: firsts.map(|job| (job.id, asked)).collect(), refused: 0 },
        runs,
        changes: Vec::new(),
        jobs: jobs.iter().map(|job| (job.id, job.clone())).collect(),
        workers: Vec::new(),
        world: BTreeMap::new(),
        sizes: BTreeMap::new(),
        offered: HashMap::from([(PID, ("worker-1", "cpu=1".parse().unwrap()))]),
    };
    let verdict = judge(&evidence, &history);
    let mut names: Vec<String> =
        verdict.violations.iter().map(|violation| violation.invariant.to_owned()).collect();
    names.retain(|name| !name.contains("events") && !name.starts_with('7'));
    names.sort();
    names.dedup();
    (names, verdict.overlaps.count)
}

/// A job that ended so, and one that carried it on and is done.
fn carried_on(status: Status) -> [Job; 2] {
    let (mut first, mut second) = (job(1, status), job(2, Status::Done));
    first.follow_up = Some(second.id);
    second.retry_from = first.id;
    [first, second]
}

#[test]
fn what_is_as_it_should_be_is_not_found() {
    let one = job(1, Status::Done);
    assert_eq!(found(std::slice::from_ref(&one), vec![run(&one, 1, 2)]), (vec![], 0));
}

#[test]
fn a_job_that_never_ran_or_never_ended_is_found() {
    let (idle, open) = (job(1, Status::Done), job(2, Status::Running));
    assert_eq!(found(&[idle], vec![]).0, ["1: what is recorded is what ran"]);
    let expected =
        ["1: a job ends as it should", "1: an acknowledged job reaches one final status"];
    assert_eq!(found(&[open], vec![]).0, expected);
}

#[test]
fn a_job_that_ran_twice_is_found() {
    let one = job(1, Status::Done);
    let runs = vec![run(&one, 1, 2), run(&one, 3, 4)];
    assert_eq!(found(&[one], runs).0, ["2: at most one run per job id and token"]);
}

#[test]
fn an_overlap_is_counted_after_a_lost_lease_and_found_otherwise() {
    for (status, expected) in [(Status::WorkerDead, 0), (Status::WorkerShutdown, 1)] {
        let jobs = carried_on(status);
        let mut second = run(&jobs[1], 2, 4);
        second.worker_pid = 0;
        let (names, overlaps) = found(&jobs, vec![run(&jobs[0], 1, 3), second]);
        let about = names.iter().filter(|name| name.starts_with("2: a job is carried on"));
        assert_eq!((about.count(), overlaps), (expected, 1));
    }
}

#[test]
fn a_worker_that_ran_more_than_it_offers_is_found() {
    let (one, other) = (job(1, Status::Done), job(2, Status::Done));
    let together = vec![run(&one, 1, 3), run(&other, 2, 4)];
    let jobs = [one.clone(), other.clone()];
    assert_eq!(found(&jobs, together).0, ["3: capacity by what ran"]);
    assert_eq!(found(&jobs, vec![run(&one, 1, 2), run(&other, 2, 4)]).0, Vec::<String>::new());
}
