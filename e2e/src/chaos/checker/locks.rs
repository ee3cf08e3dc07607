//! Locks, judged by what ran: the permits held at once never exceed those of the lock, except by
//! runs on lost workers, and a later holder has a larger token.

use std::collections::{BTreeMap, HashMap};

use domain::job::{Job, JobId, Status};

use super::violations::Violations;
use crate::job_command::RecordedRun;
use crate::observations::Observations;
use crate::operator::LICENCE;

const PERMITS: &str = "the holders of a lock never exceed its permits";
const TOKENS: &str = "a later holder has a larger token";
const RELEASED: &str = "no lock is held when no job runs";

struct Holder<'a> {
    job: &'a Job,
    run: &'a RecordedRun,
    permits: u32,
}

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    let mut runs: HashMap<JobId, &RecordedRun> = HashMap::new();
    for run in &observations.runs {
        runs.entry(run.id).or_insert(run);
    }
    let mut locks: BTreeMap<String, Vec<Holder<'_>>> = BTreeMap::new();
    for job in observations.jobs.values() {
        let Some(run) = runs.get(&job.id) else { continue };
        for (name, permits) in job.spec.locks.clone().without_rates().iter() {
            locks.entry(name.to_string()).or_default().push(Holder { job, run, permits });
        }
    }
    for (name, mut holders) in locks {
        holders.sort_by_key(|holder| holder.run.start_us);
        check_lock(&name, &holders, violations);
    }
    check_released(observations, violations);
}

/// Checks that nothing is left of any lock.
pub(super) fn check_released(observations: &Observations, violations: &mut Violations) {
    for key in observations.dump.keys().filter(|key| is_key_of_a_lock(key)) {
        violations.add(RELEASED, format!("{key} still exists"));
    }
}

fn is_key_of_a_lock(key: &str) -> bool {
    ["lock:", "waiters:"].iter().any(|prefix| key.starts_with(prefix))
}

fn check_lock(name: &str, holders: &[Holder<'_>], violations: &mut Violations) {
    let permits = if name == LICENCE.0 { LICENCE.1 } else { 1 };
    for (index, later) in holders.iter().enumerate() {
        // A worker that was frozen may start a command after its lease has ended, while others hold
        // the lock with larger tokens.
        if may_outlive_its_claim(later.job) {
            continue;
        }
        let earlier = &holders[..index];
        let concurrent = earlier.iter().filter(|holder| {
            let end = holder.run.end.as_ref();
            let overlaps = end.is_some_and(|(end_us, _)| *end_us > later.run.start_us);
            overlaps && !may_outlive_its_claim(holder.job)
        });
        let concurrent: Vec<&Holder<'_>> = concurrent.collect();
        let held: u32 = concurrent.iter().map(|holder| holder.permits).sum();
        if held + later.permits > permits {
            let others =
                concurrent.iter().map(|one| format!("{} ({})", one.job.id, one.job.status));
            let others = others.collect::<Vec<_>>().join(", ");
            violations.add(PERMITS, format!("{name}: {} started beside {others}", later.job.id));
        }
        let previous = earlier.last().filter(|_| permits == 1);
        let previous = previous.filter(|holder| !may_outlive_its_claim(holder.job));
        if let Some(previous) = previous.filter(|holder| holder.run.token >= later.run.token) {
            let (token, previous) = (later.run.token, previous.run.token);
            let details = format!("{name}: {} has token {token} after {previous}", later.job.id);
            violations.add(TOKENS, details);
        }
    }
}

/// Whether a job lost its claim before its command ended: by the loss of its worker, or because it
/// was cancelled or deleted meanwhile.
fn may_outlive_its_claim(job: &Job) -> bool {
    match job.status {
        Status::WorkerDead | Status::WorkerResurrection | Status::Cancel | Status::Deleted => true,
        Status::Waiting
        | Status::Running
        | Status::CancelRequest
        | Status::Done
        | Status::Error
        | Status::WorkerShutdown => false,
    }
}
