//! Whether a step of Redis' clock alone cost a worker its lease.

use std::collections::BTreeSet;

use domain::job::Status;

use super::violations::Violations;
use crate::history::History;
use crate::observations::Observations;

const NO_FALSE_DEATH: &str = "no worker is dead because the clock was set";

/// Checks the workers of jobs that ended with them. Without network faults, a worker is lost only if
/// it was killed or frozen.
pub(super) fn check(observations: &Observations, history: &History, violations: &mut Violations) {
    let lost: BTreeSet<u32> = history.losses().iter().map(|loss| loss.pid).collect();
    for run in &observations.runs {
        let Some(job) = observations.jobs.get(&run.id) else { continue };
        let is_dead = matches!(job.status, Status::WorkerDead | Status::WorkerResurrection);
        if is_dead && !lost.contains(&run.worker_pid) {
            let details = format!("{} is {}, its worker was not lost", job.id, job.status);
            violations.add(NO_FALSE_DEATH, details);
        }
    }
}
