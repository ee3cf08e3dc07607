//! What must always hold, judged from outside. One file per question; each adds what it finds to one list.

mod capacity;
mod chains;
mod leftovers;
mod locks;
mod once;
mod relations;
mod runs;
mod stops;
#[cfg(test)]
mod tests;

use crate::evidence::Evidence;
use crate::history::{History, Violation};

pub(crate) use runs::{Overlaps, Recoveries};

/// What was found: violations, and numbers for the report.
pub(crate) struct Verdict {
    pub(crate) violations: Vec<Violation>,
    pub(crate) overlaps: Overlaps,
    pub(crate) recoveries: Recoveries,
    /// From a cancel to the end of the run, while nothing was broken, ms, sorted.
    pub(crate) stops_ms: Vec<i64>,
    pub(crate) chains: usize,
    pub(crate) follow_ups: usize,
}

/// Collects violations.
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, invariant: &'static str, what: impl std::fmt::Display) {
        self.0.push(Violation { invariant, what: what.to_string() });
    }
}

/// Judges.
pub(crate) fn judge(evidence: &Evidence, history: &History) -> Verdict {
    let mut findings = Findings(history.violations());
    chains::judge(evidence, &mut findings);
    let overlaps = runs::judge(evidence, history, &mut findings);
    capacity::by_events(evidence, history, &mut findings);
    capacity::by_runs(evidence, &mut findings);
    once::judge(evidence, &mut findings);
    let stops_ms = stops::judge(evidence, history, &mut findings);
    locks::judge(evidence, &mut findings);
    relations::judge(evidence, &mut findings);
    leftovers::judge(evidence, &mut findings);
    let chains = evidence.firsts().count();
    Verdict {
        violations: findings.0,
        overlaps,
        recoveries: runs::recoveries(evidence, history),
        stops_ms,
        chains,
        follow_ups: evidence.jobs.len() - chains,
    }
}
