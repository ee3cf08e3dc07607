//! No worker ever ran more than it offers, in any type, and none began anything that was drained: by the events, and
//! by what ran.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{Job, JobId, Status};
use store::Change;

use super::Findings;
use crate::evidence::Evidence;
use crate::fleet::MEMBERS;
use crate::history::History;
use crate::trace::Run;

const BY_EVENTS: &str = "3: capacity by the events";
const BY_RUNS: &str = "3: capacity by what ran";
const DRAINED: &str = "a worker that is drained begins nothing";

/// How long a worker may take to do as it was told: a second, and some for a busy machine.
const OBEYED_US: i64 = 2_000_000;
/// While things are broken: until its line is given up and made again.
const OBEYED_LATE_US: i64 = 20_000_000;

/// The process that inherits those whose parent has died.
const INIT: u32 = 1;

/// What a worker was told, and what it ran then.
struct Told {
    /// What it was to offer, from when on.
    maps: Vec<(i64, CapacityMap)>,
    drained_us: Option<i64>,
    used: BTreeMap<String, u32>,
}

impl Told {
    fn new(name: &str) -> Told {
        let offered = MEMBERS.iter().find(|member| member.0 == name).map_or("", |member| member.2);
        let map = offered.parse::<CapacityMap>().unwrap_or_default().with_default();
        Told { maps: vec![(0, map)], drained_us: None, used: BTreeMap::new() }
    }

    /// The most that it may offer of a type then: what it was told last, and what it has not heard yet.
    fn units(&self, kind: &str, at_us: i64, patience_us: i64) -> u32 {
        let ends = self.maps.iter().skip(1).map(|(at, _)| *at).chain([i64::MAX]);
        let valid =
            self.maps.iter().zip(ends).filter(|(_, end)| at_us < end.saturating_add(patience_us));
        valid.map(|((_, map), _)| map.units(kind)).max().unwrap_or(0)
    }

    fn add(&mut self, need: &CapacityMap, sign: bool) {
        for (kind, units) in need.iter() {
            let used = self.used.entry(kind.to_owned()).or_default();
            *used = if sign { *used + units } else { used.saturating_sub(units) };
        }
    }
}

pub(super) fn by_events(evidence: &Evidence, history: &History, findings: &mut Findings) {
    let workers = evidence.workers.iter();
    let mut workers: HashMap<&str, Told> =
        workers.map(|worker| (worker.id.as_str(), Told::new(&worker.name))).collect();
    let mut running: HashMap<JobId, &str> = HashMap::new();
    let mut starts = 0;
    for change in &evidence.changes {
        let field = |name: &str| change.fields.get(name).map(String::as_str);
        let at_us = moment_us(change);
        let Some(job) = field("job") else {
            let told = field("worker").and_then(|id| workers.get_mut(id));
            let Some(told) = told else { continue };
            if let Some(map) = field("wantedMap").and_then(|map| serde_json::from_str(map).ok()) {
                told.maps.push((at_us, CapacityMap::with_default(map)));
            }
            if let Some(drain) = field("drain") {
                told.drained_us = (drain == "1").then_some(at_us);
            }
            continue;
        };
        let (Ok(id), Some(Ok(status))) =
            (job.parse::<JobId>(), field("status").map(str::parse::<Status>))
        else {
            continue;
        };
        let Some(job) = evidence.jobs.get(&id) else { continue };
        let need = job.class.need();
        let runs = matches!(status, Status::Running | Status::CancelRequest);
        match (runs, running.get(&id).copied()) {
            (true, None) => {
                // A tombstone does not say any more whether its job had begun.
                starts += usize::from(job.status != Status::Deleted);
                let worker = field("worker").unwrap_or_default();
                running.insert(id, worker);
                let Some(told) = workers.get_mut(worker) else {
                    findings.add(BY_EVENTS, format!("{id} began on {worker}, which is unknown"));
                    continue;
                };
                told.add(&need, true);
                let calm = history.is_calm(at_us - OBEYED_US, at_us);
                let patience_us = if calm { OBEYED_US } else { OBEYED_LATE_US };
                let full = need
                    .iter()
                    .any(|(kind, _)| told.used[kind] > told.units(kind, at_us, patience_us));
                if full {
                    let (place, used) = (&change.place, &told.used);
                    let what = format!("{worker} had no room for {id} at {place}: {used:?}");
                    findings.add(BY_EVENTS, what);
                }
                if told.drained_us.is_some_and(|drained| at_us - drained > patience_us) {
                    findings.add(DRAINED, format!("{worker} began {id} at {}", change.place));
                }
            }
            (false, Some(worker)) => {
                running.remove(&id);
                if let Some(told) = workers.get_mut(worker) {
                    told.add(&need, false);
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    let begun = evidence.jobs.values().filter(|job| job.token.is_some()).count();
    if starts != begun {
        findings.add(BY_EVENTS, format!("{starts} starts were told, {begun} jobs have begun"));
    }
}

/// When an event was told: its place in the stream is a moment of Redis' clock, which is ours too.
fn moment_us(change: &Change) -> i64 {
    let ms = change.place.split('-').next().and_then(|ms| ms.parse::<i64>().ok());
    ms.unwrap_or(0) * 1000
}

pub(super) fn by_runs(evidence: &Evidence, findings: &mut Findings) {
    let most = most_offered(evidence);
    let mut workers: BTreeMap<u32, Vec<(i64, bool, &Job)>> = BTreeMap::new();
    for run in &evidence.runs {
        let Some(job) = evidence.jobs.get(&run.id) else { continue };
        // Its worker was killed as it began, and it was killed too before it did anything.
        if run.worker_pid == INIT && run.end.is_none() {
            continue;
        }
        let moments = workers.entry(run.worker_pid).or_default();
        moments.push((run.start_us, true, job));
        moments.push((end_us(run, job), false, job));
    }
    for (pid, mut moments) in workers {
        let Some((name, offered)) = evidence.offered.get(&pid) else {
            findings.add(BY_RUNS, format!("process {pid} ran jobs and is no worker of ours"));
            continue;
        };
        // What ends at a moment makes room for what begins at it; a run without length ends after it began.
        moments.sort_by_key(|(at, starts, job)| (*at, *starts, job.id));
        let mut used: BTreeMap<String, i64> = BTreeMap::new();
        for (at, starts, job) in moments {
            for (kind, units) in job.class.need().iter() {
                let sum = used.entry(kind.to_owned()).or_default();
                *sum += if starts { i64::from(units) } else { -i64::from(units) };
                let told = most
                    .get(name)
                    .map_or(0, |maps| maps.iter().map(|map| map.units(kind)).max().unwrap_or(0));
                if *sum > i64::from(offered.units(kind).max(told)) {
                    let more = format!("{sum} of {kind}, it offers {offered}");
                    findings.add(
                        BY_RUNS,
                        format!("{name} ({pid}) ran {more}, with {} at {at}", job.id),
                    );
                }
            }
        }
    }
}

/// What each worker was ever told to offer, by its name.
fn most_offered(evidence: &Evidence) -> HashMap<&str, Vec<CapacityMap>> {
    let names: HashMap<&str, &str> =
        evidence.workers.iter().map(|of| (of.id.as_str(), of.name.as_str())).collect();
    let mut most: HashMap<&str, Vec<CapacityMap>> = HashMap::new();
    for change in &evidence.changes {
        let map = change.fields.get("wantedMap").and_then(|map| serde_json::from_str(map).ok());
        let name = change.fields.get("worker").and_then(|id| names.get(id.as_str()));
        if let (Some(name), Some(map)) = (name, map) {
            most.entry(name).or_default().push(map);
        }
    }
    most
}

/// When a run was over at the latest that we know: one that was killed wrote nothing down.
fn end_us(run: &Run, job: &Job) -> i64 {
    let known = run.end.as_ref().map(|(end, _)| *end);
    let recorded = job
        .finished_at
        .filter(|_| job.token == Some(run.token) && job.status != Status::WorkerDead);
    known.or(recorded.map(|at| at.ms() * 1000)).unwrap_or(run.start_us).max(run.start_us)
}
