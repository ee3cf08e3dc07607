//! The checks find each violation that they exist for, and accept what is allowed.

mod action_sets;
mod batches;
mod checkpoints;
mod lost_writes;
mod order;
mod outcomes;
mod rates;
mod signals;
mod workers;

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{FencingToken, Job, JobId, Status, Timestamp};
use store::{Event, Worker, WorkerStatus};

use super::check;
use crate::actions::{ACTION, ActionSet};
use crate::fleet::{WorkerProcess, WorkerProcesses};
use crate::history::History;
use crate::job_command::{RecordedRun, SUCCEEDED};
use crate::observations::{Observations, follow_ups};
use crate::workload::{self, Expectation, Ledger};

const PID: u32 = 1;
const OTHER_PID: u32 = 0;
const WORKER: &str = "0123456789ab";

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1000)
}

fn job(number: u64, status: Status) -> Job {
    let at = seconds(0);
    let (token, started_at) = (Some(FencingToken(number)), Some(at));
    let new = testkit::job(ACTION, "cpu=1");
    Job { status, token, started_at, ..Job::waiting(new, number, at, at) }
}

/// A run of a job, with its start and end in seconds.
fn run(job: &Job, start: i64, end: i64) -> RecordedRun {
    let end = Some((end * 1_000_000, SUCCEEDED.to_owned()));
    let token = job.token.unwrap();
    let start_us = start * 1_000_000;
    let (resumed, saved, signal) = (None, None, None);
    RecordedRun { id: job.id, token, worker_pid: PID, start_us, end, resumed, saved, signal }
}

fn observations() -> Observations {
    Observations {
        ledger: Ledger::default(),
        runs: Vec::new(),
        events: Vec::new(),
        follow_ups: HashMap::new(),
        jobs: HashMap::new(),
        workers: Vec::new(),
        dump: BTreeMap::new(),
        resource_usage: BTreeMap::new(),
        worker_processes: WorkerProcesses(BTreeMap::from([((PID, 0), worker_process(&[ACTION]))])),
    }
}

/// The process of the worker, which has one unit and was started with these actions.
fn worker_process(actions: &[&'static str]) -> WorkerProcess {
    let actions: ActionSet = actions.iter().copied().collect();
    WorkerProcess { name: "worker-1", capacity: "cpu=1".parse().unwrap(), actions }
}

/// The record of the worker, which has announced these actions.
fn worker(actions: &[&str]) -> Worker {
    Worker {
        id: WORKER.to_owned().try_into().unwrap(),
        status: WorkerStatus::Running,
        name: "worker-1".to_owned(),
        version: String::new(),
        capacity_map: CapacityMap::default(),
        free: CapacityMap::default(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        started_at: seconds(0),
        heartbeat_expiration: seconds(0),
        jobs: Vec::new(),
    }
}

/// An event of the worker at a second.
fn event(second: i64, fields: &[(&str, &str)]) -> Event {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let fields = fields.chain([("worker".to_owned(), WORKER.to_owned())]).collect();
    Event { id: format!("{}-0", second * 1000).parse().unwrap(), fields }
}

fn history() -> History {
    let log = std::env::temp_dir().join(format!("{}.chaos", JobId::random()));
    let history = History::begin(&log).unwrap();
    std::fs::remove_file(log).unwrap();
    history
}

/// The violated invariants, and the number of overlaps. Ignores what the missing events and the
/// empty store violate.
fn violated(kind: &str, jobs: &[Job], observations: Observations) -> (Vec<String>, usize) {
    let expectation = Expectation { kind: workload::named(kind).unwrap(), retries: 0 };
    let heads = jobs.iter().filter(|job| job.retry_from == job.id);
    let mut observations = observations;
    observations.ledger.jobs = heads.map(|job| (job.id, expectation)).collect();
    observations.jobs = jobs.iter().map(|job| (job.id, job.clone())).collect();
    observations.follow_ups = follow_ups(&observations.jobs);
    let result = check(&observations, &history());
    let invariants = result.violations.iter().map(|violation| violation.invariant.to_owned());
    let mut invariants: Vec<String> = invariants.collect();
    invariants.retain(|name| !name.contains("by events") && !name.starts_with("lists"));
    invariants.sort();
    invariants.dedup();
    (invariants, result.overlaps.count)
}

/// The same for jobs of the kind `plain` with these runs.
fn violated_by(jobs: &[Job], runs: Vec<RecordedRun>) -> Vec<String> {
    violated("plain", jobs, Observations { runs, ..observations() }).0
}

/// A job with this status, and a follow-up that is done.
fn with_follow_up(status: Status) -> [Job; 2] {
    let (mut first, mut second) = (job(1, status), job(2, Status::Done));
    first.follow_up = Some(second.id);
    second.retry_from = first.id;
    [first, second]
}

/// Runs of a job and of its follow-up on another worker that overlap for a second.
fn overlapping_runs(jobs: &[Job; 2]) -> Vec<RecordedRun> {
    let on_other_worker = RecordedRun { worker_pid: OTHER_PID, ..run(&jobs[1], 2, 4) };
    vec![run(&jobs[0], 1, 3), on_other_worker]
}

const NONE: [&str; 0] = [];
