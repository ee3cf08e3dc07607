//! The judge itself: each wrong that it is there for is found, and what is allowed is not.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{Job, JobId, Status, Timestamp, Token};
use store::{Change, Worker, WorkerStatus};

use super::{Findings, judge};
use crate::evidence::{Evidence, carried_on};
use crate::history::History;
use crate::load::{Asked, Book};
use crate::mix;
use crate::trace::{ACTION, Run};

const PID: u32 = 1;

fn job(number: u64, status: Status) -> Job {
    let at = Timestamp::from_ms(0);
    let (token, started_at) = (Some(Token(number)), Some(at));
    Job { status, token, started_at, ..Job::waiting(e2e::job(ACTION, "cpu=1"), number, at, at) }
}

/// A run of this job with these start and end, seconds.
fn run(job: &Job, start: i64, end: i64) -> Run {
    let end = Some((end * 1_000_000, "well".to_owned()));
    let token = job.token.unwrap();
    Run { id: job.id, token, worker_pid: PID, start_us: start * 1_000_000, end }
}

/// The first words of the invariants that are violated, without those about the store, which is empty here.
fn found(jobs: &[Job], runs: Vec<Run>) -> (Vec<String>, usize) {
    found_of("plain", jobs, runs, |_| {})
}

/// The same of jobs of another kind, with what else is known of them.
fn found_of(
    kind: &str,
    jobs: &[Job],
    runs: Vec<Run>,
    more: impl FnOnce(&mut Evidence),
) -> (Vec<String>, usize) {
    let log = std::env::temp_dir().join(format!("{}.chaos", JobId::random()));
    let history = History::begin(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    let asked = Asked { kind: mix::named(kind).unwrap(), retries: 0 };
    let firsts = jobs.iter().filter(|job| job.retry_from == job.id);
    let book = Book { jobs: firsts.map(|job| (job.id, asked)).collect(), ..Book::default() };
    let all: HashMap<JobId, Job> = jobs.iter().map(|job| (job.id, job.clone())).collect();
    let mut evidence = Evidence {
        book,
        runs,
        changes: Vec::new(),
        carried_on: carried_on(&all),
        jobs: all,
        workers: Vec::new(),
        world: BTreeMap::new(),
        sizes: BTreeMap::new(),
        offered: HashMap::from([(PID, ("worker-1", "cpu=1".parse().unwrap()))]),
    };
    more(&mut evidence);
    let verdict = judge(&evidence, &history);
    let mut names: Vec<String> =
        verdict.violations.iter().map(|violation| violation.invariant.to_owned()).collect();
    names.retain(|name| !name.contains("events") && !name.starts_with("7: lists"));
    names.sort();
    names.dedup();
    (names, verdict.overlaps.count)
}

/// A job that ended so, and one that carried it on and is done.
fn carried_on_after(status: Status) -> [Job; 2] {
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
        let jobs = carried_on_after(status);
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

#[test]
fn a_cancelled_job_that_begins_or_goes_on_is_found() {
    let at = |seconds: i64| Some(Timestamp::from_ms(seconds * 1000));
    let holds = |job: &Job| {
        let (id, runs) =
            (job.id, if job.status == Status::Done { vec![run(job, 6, 7)] } else { vec![] });
        let cancel = |of: &mut Evidence| {
            of.book.cancelled_us.insert(id, 5_000_000);
        };
        found_of("cancelled as it runs", std::slice::from_ref(job), runs, cancel).0
    };
    let mut one = job(1, Status::Cancel);
    (one.started_at, one.finished_at) = (at(4), at(6));
    assert_eq!(holds(&one), Vec::<String>::new());
    one.started_at = at(6);
    assert_eq!(holds(&one), ["6: a cancel that was acknowledged holds"]);
    (one.started_at, one.token, one.finished_at) = (None, None, at(8));
    assert_eq!(holds(&one), ["6: a cancel that was acknowledged holds"]);
    let mut late = job(2, Status::Done);
    (late.started_at, late.finished_at) = (at(6), at(7));
    assert_eq!(holds(&late), ["6: a cancel that was acknowledged holds"]);
}

#[test]
fn a_deleted_job_that_is_there_is_found() {
    let one = job(1, Status::Done);
    let delete = |of: &mut Evidence| {
        of.book.deleted.insert(one.id);
    };
    let (jobs, runs) = (std::slice::from_ref(&one), vec![run(&one, 1, 2)]);
    let expected = ["6: a delete that was acknowledged holds"];
    assert_eq!(found_of("deleted when over", jobs, runs, delete).0, expected);
    let mut gone = job(2, Status::Deleted);
    gone.token = None;
    let runs = vec![Run { token: Token(2), ..run(&job(2, Status::Done), 1, 2) }];
    let runs = runs.into_iter().map(|run| Run { id: gone.id, ..run }).collect();
    let delete = |of: &mut Evidence| {
        of.book.deleted.insert(gone.id);
    };
    let jobs = std::slice::from_ref(&gone);
    assert_eq!(found_of("deleted when over", jobs, runs, delete).0, Vec::<String>::new());
}

#[test]
fn two_jobs_of_one_key_or_one_submission_are_found() {
    let two = |change: fn(&mut Job)| {
        let mut jobs = [job(1, Status::Done), job(2, Status::Done)];
        for job in &mut jobs {
            job.finished_at = Some(Timestamp::from_ms(job.number as i64 * 1000));
            job.created_at = Timestamp::from_ms(job.number as i64 * 1000 - 1000);
            change(job);
        }
        let runs = vec![run(&jobs[0], 1, 2), run(&jobs[1], 3, 4)];
        found(&jobs, runs).0
    };
    assert_eq!(two(|job| job.spec.unique_key = Some("key".into())), Vec::<String>::new());
    let at_once = |job: &mut Job| {
        job.spec.unique_key = Some("key".into());
        job.created_at = Timestamp::from_ms(0);
    };
    assert_eq!(two(at_once), ["7: one job at a time has a unique key"]);
    let marked = two(|job| job.spec.comment = Some("once 17 0".into()));
    assert_eq!(marked, ["7: one submission under an Idempotency-Key"]);
}

#[test]
fn ticks_without_a_job_or_with_two_are_found() {
    let fired = |ticks: &[i64]| {
        let jobs: Vec<Job> = ticks
            .iter()
            .zip(1..)
            .map(|(tick, number)| {
                let mut job = job(number, Status::Done);
                let firing =
                    serde_json::json!({"cron": "c", "tick": format!("1970-01-01T00:00:0{tick}Z")});
                job.spec.cron = Some(serde_json::from_value(firing).unwrap());
                job
            })
            .collect();
        let runs =
            jobs.iter().map(|job| run(job, 20 + 2 * job.number as i64, 21 + 2 * job.number as i64));
        found_of(mix::OF_CRON, &jobs, runs.collect(), |_| {}).0
    };
    assert_eq!(fired(&[1, 2, 3]), Vec::<String>::new());
    assert_eq!(fired(&[1, 3]), ["4: no firing is missed"]);
    assert_eq!(fired(&[1, 2, 2]), ["4: one firing, one job"]);
}

#[test]
fn what_must_not_run_twice_or_beside_another_is_found() {
    let mut jobs = carried_on_after(Status::WorkerDead);
    let runs = |jobs: &[Job; 2]| {
        let (mut second, first) = (run(&jobs[1], 2, 4), run(&jobs[0], 1, 3));
        second.worker_pid = 0;
        vec![first, second]
    };
    let without_pid = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| !name.starts_with("3: capacity")).collect()
    };
    jobs[0].spec.strict_lease = true;
    let names = without_pid(found(&jobs, runs(&jobs)).0);
    assert_eq!(names, ["2: a strict job never runs beside what carries it on"]);
    jobs[0].spec.strict_lease = false;
    jobs[0].spec.on_worker_lost = domain::job::OnWorkerLost::Fail;
    let names = without_pid(found(&jobs, runs(&jobs)).0);
    assert_eq!(names, ["what must not run twice is not carried on"]);
}

#[test]
fn a_job_that_loops_waits_too_short_or_runs_expired_is_found() {
    let mut looping = job(1, Status::WorkerDead);
    looping.crashes = 4;
    assert_eq!(found(&[looping], vec![]).0, ["1: a job that kills its workers ends"]);
    let mut jobs = carried_on_after(Status::Error);
    jobs[0].spec.backoff = Some(serde_json::from_value(serde_json::json!({"base": "2s"})).unwrap());
    jobs[0].finished_at = Some(Timestamp::from_ms(0));
    jobs[1].scheduled_at = Timestamp::from_ms(900);
    let names = found_of("fails and is retried", &jobs, vec![run(&jobs[1], 1, 2)], |_| {}).0;
    assert!(names.contains(&"a retry waits as long as it should".to_owned()), "{names:?}");
    let mut expired = job(1, Status::Done);
    expired.started_at = Some(Timestamp::from_ms(1_000));
    expired.spec.expires_at = expired.started_at;
    let runs = vec![run(&expired, 1, 2)];
    assert_eq!(found(&[expired], runs).0, ["a job that expired does not run"]);
}

/// An event of this worker, or of a job that it begins, at a second.
fn told(second: i64, fields: &[(&str, &str)]) -> Change {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let fields = fields.chain([("worker".to_owned(), "0123456789ab".to_owned())]).collect();
    Change { place: format!("{}-0", second * 1000), fields }
}

#[test]
fn a_worker_that_does_not_do_as_it_was_told_is_found() {
    let begins = |order: [(&str, &str); 1], at: i64| {
        let one = job(1, Status::Done);
        let id = one.id.to_string();
        let changes = vec![told(100, &order), told(at, &[("job", &id), ("status", "running")])];
        let log = std::env::temp_dir().join(format!("{}.chaos", JobId::random()));
        let history = History::begin(&log).unwrap();
        std::fs::remove_file(log).unwrap();
        let mut findings = Findings(Vec::new());
        let worker = Worker {
            id: "0123456789ab".to_owned().try_into().unwrap(),
            status: WorkerStatus::Running,
            name: "worker-1".to_owned(),
            version: String::new(),
            capacity_map: CapacityMap::default(),
            free: CapacityMap::default(),
            actions: Vec::new(),
            started_at: one.created_at,
            heartbeat_expiration: one.created_at,
            jobs: Vec::new(),
        };
        let evidence = Evidence {
            book: Book::default(),
            runs: Vec::new(),
            changes,
            carried_on: HashMap::new(),
            jobs: HashMap::from([(one.id, one)]),
            workers: vec![worker],
            world: BTreeMap::new(),
            sizes: BTreeMap::new(),
            offered: HashMap::new(),
        };
        super::capacity::by_events(&evidence, &history, &mut findings);
        findings.0.into_iter().map(|violation| violation.invariant).collect::<Vec<_>>()
    };
    let none = Vec::<&str>::new();
    assert_eq!(begins([("drain", "1")], 101), none);
    assert_eq!(begins([("drain", "1")], 110), ["a worker that is drained begins nothing"]);
    assert_eq!(begins([("drain", "")], 110), none);
    assert_eq!(begins([("wantedMap", r#"{"scan":1}"#)], 101), none);
    assert_eq!(begins([("wantedMap", r#"{"scan":1}"#)], 110), ["3: capacity by the events"]);
    assert_eq!(begins([("wantedMap", r#"{"cpu":1}"#)], 110), none);
}
