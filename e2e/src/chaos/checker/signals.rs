//! Signals: one that was acknowledged is what the runs of its chain read, and none reads another.

use std::collections::{BTreeSet, HashMap};

use domain::job::JobId;

use super::violations::Violations;
use crate::job_command::RecordedRun;
use crate::observations::Observations;

const ONE: &str = "at most one signal of a name is acknowledged and read";
const NOT_LOST: &str = "a signal that was acknowledged is read";

/// Checks every job that waited for a signal. Returns how many were continued by a signal and how
/// many by the end of its time.
pub(super) fn check(observations: &Observations, violations: &mut Violations) -> (usize, usize) {
    let runs: HashMap<JobId, &RecordedRun> =
        observations.runs.iter().map(|run| (run.id, run)).collect();
    let (mut sent, mut timed_out) = (0, 0);
    for head in observations.chain_heads() {
        let of_chain = observations.chain(head.id);
        let read: BTreeSet<&str> =
            of_chain.iter().filter_map(|job| runs.get(&job.id)?.signal.as_deref()).collect();
        let acknowledged = observations.ledger.signalled.get(&head.id);
        let acknowledged = acknowledged.map(Vec::as_slice).unwrap_or_default();
        let facts = || format!("{}: {acknowledged:?} acknowledged, {read:?} read", head.id);
        if read.len() > 1 || acknowledged.len() > 1 {
            violations.add(ONE, facts());
        }
        if acknowledged.iter().any(|body| !read.contains(body)) {
            violations.add(NOT_LOST, facts());
        }
        let is_timeout = read.iter().any(|body| body.contains("timedOut"));
        timed_out += usize::from(is_timeout);
        sent += usize::from(!read.is_empty() && !is_timeout);
    }
    (sent, timed_out)
}
