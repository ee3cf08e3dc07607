//! No worker ever ran more than it offers, in any type: by the events, and by what ran.

use std::collections::{BTreeMap, HashMap};

use shared::capacity::CapacityMap;
use shared::job::{Job, JobId, Status};

use super::Findings;
use crate::evidence::Evidence;
use crate::trace::Run;

const BY_EVENTS: &str = "3: capacity by the events";
const BY_RUNS: &str = "3: capacity by what ran";

pub(super) fn by_events(evidence: &Evidence, findings: &mut Findings) {
    let mut free: HashMap<&str, CapacityMap> = evidence
        .workers
        .iter()
        .map(|worker| (worker.id.as_str(), worker.capacity_map.clone()))
        .collect();
    let mut running: HashMap<JobId, &str> = HashMap::new();
    let mut starts = 0;
    for change in &evidence.changes {
        let field = |name: &str| change.fields.get(name).map(String::as_str);
        let (Some(id), Some(status)) = (field("job"), field("status")) else { continue };
        let (Ok(id), Ok(status)) = (id.parse::<JobId>(), status.parse::<Status>()) else {
            continue;
        };
        // A job that was deleted since has taken its class with it.
        let Some(need) = evidence.jobs.get(&id).map(|job| job.class.need()) else { continue };
        let runs = matches!(status, Status::Running | Status::CancelRequest);
        match (runs, running.get(&id).copied()) {
            (true, None) => {
                starts += 1;
                let worker = field("worker").unwrap_or_default();
                running.insert(id, worker);
                if !free.get_mut(worker).is_some_and(|free| free.take(&need, 1)) {
                    let place = &change.place;
                    findings.add(BY_EVENTS, format!("{worker} had no room for {id} at {place}"));
                }
            }
            (false, Some(worker)) => {
                running.remove(&id);
                if let Some(free) = free.get_mut(worker) {
                    free.give(&need, 1);
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

pub(super) fn by_runs(evidence: &Evidence, findings: &mut Findings) {
    let mut workers: BTreeMap<u32, Vec<(i64, bool, &Job)>> = BTreeMap::new();
    for run in &evidence.runs {
        let Some(job) = evidence.jobs.get(&run.id) else { continue };
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
                if *sum > i64::from(offered.units(kind)) {
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

/// When a run was over at the latest that we know: one that was killed wrote nothing down.
fn end_us(run: &Run, job: &Job) -> i64 {
    let known = run.end.as_ref().map(|(end, _)| *end);
    let recorded = job
        .finished_at
        .filter(|_| job.token == Some(run.token) && job.status != Status::WorkerDead);
    known.or(recorded.map(|at| at.ms() * 1000)).unwrap_or(run.start_us).max(run.start_us)
}
