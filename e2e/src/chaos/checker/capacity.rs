//! No worker ever exceeds its capacity in any type, and a drained worker starts no job: judged by
//! the events, and by what ran.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{Job, JobId, Status};
use store::Event;

use super::violations::Violations;
use crate::fleet::initial_capacity;
use crate::history::History;
use crate::job_command::RecordedRun;
use crate::observations::Observations;

const BY_EVENTS: &str = "no worker exceeds its capacity, by events";
const BY_RUNS: &str = "no worker exceeds its capacity, by runs";
const DRAINED: &str = "a drained worker starts no job";

/// How long a worker may take to obey a command: a second, and some more for a busy machine.
const COMMAND_LIMIT_US: i64 = 2_000_000;
/// The same during faults: until it has given up its connection and made a new one.
const DISRUPTED_COMMAND_LIMIT_US: i64 = 20_000_000;

/// The process that adopts the children of a dead process.
const INIT: u32 = 1;

/// A worker as the events describe it: the commands it was given, and what it runs.
struct WorkerState {
    /// The capacities that commands set, each from some time on.
    capacities: Vec<(i64, CapacityMap)>,
    drained_us: Option<i64>,
    used: BTreeMap<String, u32>,
}

impl WorkerState {
    fn new(name: &str) -> WorkerState {
        let capacities = vec![(0, initial_capacity(name))];
        WorkerState { capacities, drained_us: None, used: BTreeMap::new() }
    }

    fn command(&mut self, at_us: i64, event: &Event) {
        let capacity = event.fields.get("wantedMap");
        if let Some(map) = capacity.and_then(|map| serde_json::from_str(map).ok()) {
            self.capacities.push((at_us, CapacityMap::with_default(map)));
        }
        if let Some(drain) = event.fields.get("drain") {
            self.drained_us = (drain == "1").then_some(at_us);
        }
    }

    /// The most units of a type that it may use at some time: of the latest capacity, and of those
    /// before it that it may still obey.
    fn max_units(&self, kind: &str, at_us: i64, limit_us: i64) -> u32 {
        let ends = self.capacities.iter().skip(1).map(|(at_us, _)| *at_us).chain([i64::MAX]);
        let valid = self.capacities.iter().zip(ends);
        let valid = valid.filter(|(_, end_us)| at_us < end_us.saturating_add(limit_us));
        valid.map(|((_, capacity), _)| capacity.units(kind)).max().unwrap_or(0)
    }

    fn start(&mut self, need: &CapacityMap) {
        for (kind, units) in need.iter() {
            *self.used.entry(kind.to_owned()).or_default() += units;
        }
    }

    fn end(&mut self, need: &CapacityMap) {
        for (kind, units) in need.iter() {
            let used = self.used.entry(kind.to_owned()).or_default();
            *used = used.saturating_sub(units);
        }
    }

    fn exceeds(&self, need: &CapacityMap, at_us: i64, limit_us: i64) -> bool {
        need.iter().any(|(kind, _)| self.used[kind] > self.max_units(kind, at_us, limit_us))
    }
}

/// Replays the events.
pub(super) fn check_events(
    observations: &Observations,
    history: &History,
    violations: &mut Violations,
) {
    let workers = observations.workers.iter();
    let mut workers: HashMap<&str, WorkerState> =
        workers.map(|worker| (worker.id.as_str(), WorkerState::new(&worker.name))).collect();
    let mut running: HashMap<JobId, &str> = HashMap::new();
    let mut starts = 0;
    for event in &observations.events {
        let field = |name: &str| event.fields.get(name).map(String::as_str);
        let at_us = time_us(event);
        let Some(job) = field("job") else {
            if let Some(worker) = field("worker").and_then(|id| workers.get_mut(id)) {
                worker.command(at_us, event);
            }
            continue;
        };
        let status = field("status").map(str::parse::<Status>);
        let (Ok(id), Some(Ok(status))) = (job.parse::<JobId>(), status) else { continue };
        let Some(job) = observations.jobs.get(&id) else { continue };
        let runs = matches!(status, Status::Running | Status::CancelRequest);
        match (runs, running.get(&id).copied()) {
            (true, None) => {
                // The record of a deleted job does not say whether it had started.
                starts += usize::from(job.status != Status::Deleted);
                let worker = field("worker").unwrap_or_default();
                running.insert(id, worker);
                let Some(state) = workers.get_mut(worker) else {
                    violations.add(BY_EVENTS, format!("{id} started on unknown worker {worker}"));
                    continue;
                };
                let is_calm = history.is_calm(at_us - COMMAND_LIMIT_US, at_us);
                let limit_us = if is_calm { COMMAND_LIMIT_US } else { DISRUPTED_COMMAND_LIMIT_US };
                check_start(state, job, (event, limit_us), violations);
            }
            (false, Some(worker)) => {
                running.remove(&id);
                if let Some(worker) = workers.get_mut(worker) {
                    worker.end(&job.class.need());
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    let started = observations.jobs.values().filter(|job| job.token.is_some()).count();
    if starts != started {
        let details = format!("the events have {starts} starts, {started} jobs have started");
        violations.add(BY_EVENTS, details);
    }
}

fn check_start(
    worker: &mut WorkerState,
    job: &Job,
    (event, limit_us): (&Event, i64),
    violations: &mut Violations,
) {
    let (at_us, position, need) = (time_us(event), event.id, job.class.need());
    worker.start(&need);
    if worker.exceeds(&need, at_us, limit_us) {
        let used = &worker.used;
        violations.add(BY_EVENTS, format!("{} did not fit at {position}: {used:?}", job.id));
    }
    if worker.drained_us.is_some_and(|drained_us| at_us - drained_us > limit_us) {
        violations.add(DRAINED, format!("{} started at {position}", job.id));
    }
}

/// The time of an event by the clock of Redis, which runs on this machine.
fn time_us(event: &Event) -> i64 {
    event.at().ms() * 1000
}

/// A start (true) or an end of a job, and its time.
type Step<'job> = (i64, bool, &'job Job);

/// Replays the runs that the commands recorded.
pub(super) fn check_runs(observations: &Observations, violations: &mut Violations) {
    let commanded = commanded_capacities(observations);
    let mut steps_by_process: BTreeMap<(u32, i64), Vec<Step<'_>>> = BTreeMap::new();
    for run in &observations.runs {
        let Some(job) = observations.jobs.get(&run.id) else { continue };
        // Its worker was killed while it started, and it was killed before it did anything.
        if run.worker_pid == INIT && run.end.is_none() {
            continue;
        }
        let process = observations.worker_processes.at(run.worker_pid, run.start_us);
        let Some((started_us, _)) = process else {
            let pid = run.worker_pid;
            violations.add(BY_RUNS, format!("jobs ran in process {pid}, which is no worker"));
            continue;
        };
        let steps = steps_by_process.entry((run.worker_pid, started_us)).or_default();
        steps.push((run.start_us, true, job));
        steps.push((end_us(run, job), false, job));
    }
    for (key, mut steps) in steps_by_process {
        let Some(process) = observations.worker_processes.0.get(&key) else { continue };
        let pid = key.0;
        // An end makes room for a start at the same time.
        steps.sort_by_key(|(at_us, is_start, job)| (*at_us, *is_start, job.id));
        let mut used: BTreeMap<String, i64> = BTreeMap::new();
        for (at_us, is_start, job) in steps {
            for (kind, units) in job.class.need().iter() {
                let sum = used.entry(kind.to_owned()).or_default();
                *sum += if is_start { i64::from(units) } else { -i64::from(units) };
                let name = process.name;
                let commanded = commanded.get(name).into_iter().flatten();
                let most = commanded.map(|map| map.units(kind)).max().unwrap_or(0);
                if *sum > i64::from(process.capacity.units(kind).max(most)) {
                    let details = format!("{name} ({pid}) used {sum} {kind} with {}", job.id);
                    violations.add(BY_RUNS, format!("{details} at {at_us}"));
                }
            }
        }
    }
}

/// All capacities that commands set for each worker, by its name.
fn commanded_capacities(observations: &Observations) -> HashMap<&str, Vec<CapacityMap>> {
    let workers = observations.workers.iter();
    let names: HashMap<&str, &str> =
        workers.map(|worker| (worker.id.as_str(), worker.name.as_str())).collect();
    let mut capacities: HashMap<&str, Vec<CapacityMap>> = HashMap::new();
    for event in &observations.events {
        let map = event.fields.get("wantedMap").and_then(|map| serde_json::from_str(map).ok());
        let name = event.fields.get("worker").and_then(|id| names.get(id.as_str()));
        if let (Some(name), Some(map)) = (name, map) {
            capacities.entry(name).or_default().push(map);
        }
    }
    capacities
}

/// The latest known end of a run: a killed run recorded none.
fn end_us(run: &RecordedRun, job: &Job) -> i64 {
    let recorded = run.end.as_ref().map(|(end_us, _)| *end_us);
    let is_same_claim = job.token == Some(run.token) && job.status != Status::WorkerDead;
    let finished = job.finished_at.filter(|_| is_same_claim).map(|at| at.ms() * 1000);
    recorded.or(finished).unwrap_or(run.start_us).max(run.start_us)
}
