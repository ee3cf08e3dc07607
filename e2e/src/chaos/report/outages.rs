//! How long clients and workers noticed each failure of a server: the longest time in which no
//! submission was acknowledged, and in which no job started.

use std::collections::BTreeMap;

use crate::history::ServerOutage;
use crate::observations::Observations;

/// How long after a cluster is whole again its failure may be noticed.
const TAIL_US: i64 = 5_000_000;

/// What was noticed of the failures of one kind, in milliseconds, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) without_submission_ms: Vec<i64>,
    pub(super) without_start_ms: Vec<i64>,
    /// Until all servers were back; the time in which the server was kept down is included.
    pub(super) until_whole_ms: Vec<i64>,
}

pub(super) fn noticed(
    observations: &Observations,
    failures: &[ServerOutage],
) -> BTreeMap<&'static str, Noticed> {
    let mut submissions: Vec<i64> = observations.ledger.submitted_us.values().copied().collect();
    let mut starts: Vec<i64> = observations.runs.iter().map(|run| run.start_us).collect();
    submissions.sort_unstable();
    starts.sort_unstable();
    let mut kinds: BTreeMap<&str, Noticed> = BTreeMap::new();
    for failure in failures {
        let noticed = kinds.entry(failure.kind).or_default();
        noticed.without_submission_ms.push(longest_gap_ms(&submissions, failure));
        noticed.without_start_ms.push(longest_gap_ms(&starts, failure));
        noticed.until_whole_ms.push((failure.until_us - failure.from_us) / 1000);
    }
    for noticed in kinds.values_mut() {
        noticed.without_submission_ms.sort_unstable();
        noticed.without_start_ms.sort_unstable();
        noticed.until_whole_ms.sort_unstable();
    }
    kinds
}

/// The longest time between two of these instants, of which the second is after the failure.
fn longest_gap_ms(sorted_us: &[i64], failure: &ServerOutage) -> i64 {
    let mut last_us = failure.from_us;
    let mut longest_us = 0;
    for at_us in sorted_us.iter().filter(|at_us| **at_us > failure.from_us) {
        if last_us > failure.until_us + TAIL_US {
            break;
        }
        longest_us = longest_us.max(at_us - last_us);
        last_us = *at_us;
    }
    longest_us / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_after_a_failure_is_found() {
        let failure = ServerOutage { kind: "", from_us: 10_000_000, until_us: 20_000_000 };
        let gap = |seconds: &[i64]| {
            let times: Vec<i64> = seconds.iter().map(|second| second * 1_000_000).collect();
            longest_gap_ms(&times, &failure)
        };
        assert_eq!(gap(&[1, 9, 12, 13]), 2_000);
        assert_eq!(gap(&[9, 11, 18, 19]), 7_000);
        assert_eq!(gap(&[9, 11, 18, 24, 26, 60]), 7_000, "the last silence is of something else");
        assert_eq!(gap(&[9]), 0);
    }
}
