//! Workers run only what they know: judged by what ran, by the events, and by what the workers
//! announced, against the actions that each worker process was started with.

use std::collections::{BTreeSet, HashMap};

use domain::job::Status;

use super::violations::Violations;
use crate::actions::{self, is_recorded};
use crate::observations::Observations;

const BY_RUNS: &str = "a worker runs only actions that it knows, by runs";
const BY_EVENTS: &str = "a worker runs only actions that it knows, by events";
const ANNOUNCED: &str = "a worker announces the actions that it knows";

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    check_runs(observations, violations);
    check_events(observations, violations);
    check_announced(observations, violations);
}

fn check_runs(observations: &Observations, violations: &mut Violations) {
    for run in &observations.runs {
        let Some(job) = observations.jobs.get(&run.id).filter(|job| is_recorded(job)) else {
            continue;
        };
        let process = observations.worker_processes.at(run.worker_pid, run.start_us);
        // A process that is no worker is found by the check of capacities.
        let Some((_, process)) = process else { continue };
        if !process.actions.contains(job.spec.action.as_str()) {
            let (name, pid, known) = (process.name, run.worker_pid, &process.actions);
            let details = format!("{name} ({pid}) knows {known:?} and ran {}", job.spec.action);
            violations.add(BY_RUNS, format!("{details}, job {}", job.id));
        }
    }
}

fn check_events(observations: &Observations, violations: &mut Violations) {
    let workers = observations.workers.iter().map(|worker| (worker.id.as_str(), worker));
    let workers: HashMap<_, _> = workers.collect();
    for event in &observations.events {
        let field = |name: &str| event.fields.get(name).map(String::as_str).unwrap_or_default();
        if field("job").is_empty() || field("status") != Status::Running.as_str() {
            continue;
        }
        let Some(worker) = workers.get(field("worker")) else { continue };
        if !worker.actions.iter().any(|known| known == field("action")) {
            let (name, id, action, job) = (&worker.name, &worker.id, field("action"), field("job"));
            let details = format!("{name} ({id}) started {job}, whose action is {action}");
            violations.add(BY_EVENTS, details);
        }
    }
}

/// The announced actions must be those of one of the worker's processes.
fn check_announced(observations: &Observations, violations: &mut Violations) {
    for worker in &observations.workers {
        let announced: BTreeSet<&str> = actions::all()
            .filter(|action| worker.actions.iter().any(|known| known == action))
            .collect();
        let mut processes = observations.worker_processes.0.values();
        if !processes.any(|process| process.name == worker.name && process.actions == announced) {
            let (name, id) = (&worker.name, &worker.id);
            violations.add(ANNOUNCED, format!("{name} ({id}) announced {announced:?}"));
        }
    }
}
