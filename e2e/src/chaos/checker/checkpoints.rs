//! Checkpoints: a run continues from what an earlier run of its chain has saved, and never from less
//! than an earlier run had.

use std::collections::HashMap;

use domain::job::{Job, JobId, Status};

use super::violations::Violations;
use crate::job_command::RecordedRun;
use crate::observations::Observations;

const NEVER_BACK: &str = "a checkpoint never goes back";
const NOT_LOST: &str = "what a run saved before its recorded end is not lost";
const SAVED: &str = "a run continues from a checkpoint that a run of its chain has saved";

/// Checks every chain. Returns how many runs continued from a checkpoint.
pub(super) fn check(observations: &Observations, violations: &mut Violations) -> usize {
    let runs: HashMap<JobId, &RecordedRun> =
        observations.runs.iter().map(|run| (run.id, run)).collect();
    for head in observations.chain_heads() {
        let chain = observations.chain(head.id);
        let of_chain: Vec<(&Job, &RecordedRun)> =
            chain.iter().filter_map(|job| Some((*job, *runs.get(&job.id)?))).collect();
        check_chain(&of_chain, violations);
    }
    observations.runs.iter().filter(|run| run.resumed.is_some()).count()
}

/// Checks the runs of a chain, the oldest first. A job that never ran hands its checkpoint on.
fn check_chain(chain: &[(&Job, &RecordedRun)], violations: &mut Violations) {
    // The least and the largest step from which the next run may continue, and why not from less.
    let (mut least, mut most, mut why) = (0, 0, NEVER_BACK);
    for (job, run) in chain {
        let (id, from) = (job.id, run.resumed.unwrap_or(0));
        if from < least {
            violations.add(why, format!("{id} continued from {from}, not from {least}"));
        }
        if from > most {
            violations.add(SAVED, format!("{id} continued from {from}, but {most} was saved"));
        }
        let saved = run.saved.unwrap_or(from);
        (least, most, why) = match job.status {
            // A retry of a job that succeeded starts from the beginning.
            Status::Done => (0, 0, NEVER_BACK),
            // A deleted job may have been any of these.
            Status::Deleted => (0, most.max(saved), NEVER_BACK),
            Status::Error if run.end.is_some() => (saved, saved, NOT_LOST),
            Status::Waiting
            | Status::Running
            | Status::CancelRequest
            | Status::Error
            | Status::Cancel
            | Status::WorkerDead
            | Status::WorkerShutdown
            | Status::WorkerResurrection => (from, most.max(saved), NEVER_BACK),
        };
    }
}
