//! Checks the invariants of the design from outside. One file per question; each adds the
//! violations that it finds to one list.

mod action_sets;
mod batches;
mod cancellation;
mod capacity;
mod checkpoints;
mod clock;
mod dependencies;
mod final_state;
mod locks;
mod lost_writes;
mod order;
mod rates;
mod retry_chains;
mod runs;
mod signals;
#[cfg(test)]
mod tests;
mod timing;
mod uniqueness;
mod violations;

use crate::history::{History, Violation};
use crate::observations::Observations;
use violations::Violations;

pub(crate) use order::Order;
pub(crate) use runs::{Overlaps, Recoveries};

/// The result of all checks: the violations, and numbers for the report.
pub(crate) struct CheckResult {
    pub(crate) violations: Vec<Violation>,
    pub(crate) overlaps: Overlaps,
    pub(crate) recoveries: Recoveries,
    /// The times from a cancellation to the end of the run while no fault was active, sorted.
    pub(crate) cancel_latencies_ms: Vec<i64>,
    pub(crate) order: Order,
    /// How many runs continued from a checkpoint.
    pub(crate) resumed: usize,
    /// How many jobs were continued by a signal, and how many by the end of its time.
    pub(crate) signalled: (usize, usize),
    /// How many batched submissions were looked for.
    pub(crate) batched: usize,
    pub(crate) chains: usize,
    pub(crate) follow_ups: usize,
}

/// Runs all checks.
pub(crate) fn check(observations: &Observations, history: &History) -> CheckResult {
    if history.has_lost_writes() {
        return check_after_lost_writes(observations, history);
    }
    let mut violations = Violations::new(history.violations());
    retry_chains::check(observations, &mut violations);
    let overlaps = runs::check(observations, history, &mut violations);
    capacity::check_events(observations, history, &mut violations);
    action_sets::check(observations, &mut violations);
    timing::check(observations, &mut violations);
    locks::check(observations, &mut violations);
    final_state::check(observations, &mut violations);
    let resumed = checkpoints::check(observations, &mut violations);
    let signalled = signals::check(observations, &mut violations);
    let (mut order, mut cancel_latencies_ms, mut batched) = (Order::default(), Vec::new(), 0);
    if history.clock_was_set() {
        clock::check(observations, history, &mut violations);
    } else {
        // These compare times that Redis gave at different moments.
        runs::check_starts(observations, &mut violations);
        capacity::check_runs(observations, &mut violations);
        order = order::check(observations, history, &mut violations);
        rates::check(observations, &mut violations);
        uniqueness::check(observations, &mut violations);
        batched = batches::check(observations, &mut violations);
        cancel_latencies_ms = cancellation::check(observations, history, &mut violations);
        dependencies::check(observations, &mut violations);
    }
    let chains = observations.chain_heads().count();
    CheckResult {
        violations: violations.into_inner(),
        overlaps,
        recoveries: runs::recoveries(observations, history),
        cancel_latencies_ms,
        order,
        resumed,
        signalled,
        batched,
        chains,
        follow_ups: observations.jobs.len() - chains,
    }
}

/// Runs the checks that hold although Redis has lost writes: what it has acknowledged may be gone.
fn check_after_lost_writes(observations: &Observations, history: &History) -> CheckResult {
    let mut violations = Violations::new(lost_writes::not_explained(history.violations()));
    retry_chains::check_records(observations, &mut violations);
    let overlaps = lost_writes::check(observations, history, &mut violations);
    capacity::check_runs(observations, &mut violations);
    action_sets::check(observations, &mut violations);
    locks::check_released(observations, &mut violations);
    final_state::check(observations, &mut violations);
    let chains = observations.chain_heads().count();
    CheckResult {
        violations: violations.into_inner(),
        overlaps,
        recoveries: runs::recoveries(observations, history),
        cancel_latencies_ms: Vec::new(),
        order: Order::default(),
        resumed: 0,
        signalled: (0, 0),
        batched: 0,
        chains,
        follow_ups: observations.jobs.len() - chains,
    }
}
