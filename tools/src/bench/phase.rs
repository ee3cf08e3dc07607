//! The phases of the bench, and how a phase of several rounds is summarized.

use serde::Serialize;

use crate::costs::Costs;
use crate::numbers::{median, per_second};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Phase {
    /// Jobs are submitted in batches while no worker starts any.
    Submit,
    /// Workers run the jobs that were submitted before.
    Drain,
    /// Jobs are submitted in batches while workers run them.
    LiveBatches,
    /// Jobs are submitted one by one, 64 requests in flight, while workers run them.
    LiveSingle,
}

/// How jobs are submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Submission {
    /// Jobs per request.
    pub(crate) jobs: usize,
    /// Requests in flight.
    pub(crate) in_flight: usize,
}

/// One measurement of a phase.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// Jobs that did not succeed.
    pub(crate) failed: u64,
    pub(crate) costs: Costs,
}

/// All rounds of a phase.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    /// The median of all rounds.
    pub(crate) jobs_per_second: f64,
    /// Of each round, in order.
    pub(crate) rounds_jobs_per_second: Vec<f64>,
    /// Jobs of all rounds that did not succeed.
    pub(crate) failed: u64,
    /// Of the round whose rate is closest to the median.
    pub(crate) costs: Costs,
}

/// A phase of the fleet, beside the same work without Capstan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhaseReport {
    pub(crate) phase: Phase,
    /// Jobs per round.
    pub(crate) jobs: u64,
    pub(crate) fleet: Measured,
    /// `None` without the addresses of Redis and RabbitMQ.
    pub(crate) floor: Option<Measured>,
}

/// The rounds of each phase, in order.
#[derive(Debug, Default)]
pub(crate) struct PhaseRuns {
    fleet: Vec<(Phase, Run)>,
    floor: Vec<(Phase, Run)>,
}

impl PhaseRuns {
    /// Adds a round of the fleet.
    pub(crate) fn add_fleet(&mut self, round: Vec<(Phase, Run)>) {
        self.fleet.extend(round);
    }

    /// Adds a round of the floor.
    pub(crate) fn add_floor(&mut self, round: Vec<(Phase, Run)>) {
        self.floor.extend(round);
    }

    /// Summarizes rounds of `jobs` jobs.
    pub(crate) fn reports(mut self, jobs: u64) -> Vec<PhaseReport> {
        let of = |phase, runs: &mut Vec<(Phase, Run)>| {
            let runs = runs.extract_if(.., |(found, _)| *found == phase).map(|(_, run)| run);
            Measured::of(jobs, runs.collect())
        };
        let has_floor = !self.floor.is_empty();
        let report = |phase| PhaseReport {
            phase,
            jobs,
            fleet: of(phase, &mut self.fleet),
            floor: has_floor.then(|| of(phase, &mut self.floor)),
        };
        Phase::ALL.into_iter().map(report).collect()
    }
}

impl Phase {
    /// Every phase, in the order of a round.
    pub(crate) const ALL: [Phase; 4] =
        [Phase::Submit, Phase::Drain, Phase::LiveBatches, Phase::LiveSingle];

    /// The title in tables and pictures.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Phase::Submit => "submit only",
            Phase::Drain => "drain only",
            Phase::LiveBatches => "live, batches",
            Phase::LiveSingle => "live, single POSTs",
        }
    }

    /// How jobs are submitted in it, if any are.
    pub(crate) fn submission(self) -> Option<Submission> {
        match self {
            Phase::Submit | Phase::LiveBatches => Some(Submission::BATCHES),
            Phase::LiveSingle => Some(Submission::SINGLE),
            Phase::Drain => None,
        }
    }

    /// Whether jobs run in it.
    pub(crate) fn runs_jobs(self) -> bool {
        match self {
            Phase::Drain | Phase::LiveBatches | Phase::LiveSingle => true,
            Phase::Submit => false,
        }
    }
}

impl Submission {
    /// Batches of 1,000, four at a time.
    pub(crate) const BATCHES: Submission = Submission { jobs: 1000, in_flight: 4 };
    /// One job per request.
    pub(crate) const SINGLE: Submission = Submission { jobs: 1, in_flight: 64 };
}

impl Measured {
    /// Summarizes rounds of `jobs` jobs.
    pub(crate) fn of(jobs: u64, runs: Vec<Run>) -> Measured {
        let rates: Vec<f64> = runs.iter().map(|run| per_second(jobs, run.seconds)).collect();
        let middle = median(rates.iter().copied());
        let distance = |run: &Run| (per_second(jobs, run.seconds) - middle).abs();
        let failed = runs.iter().map(|run| run.failed).sum();
        let typical = runs.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        Measured {
            jobs_per_second: middle,
            rounds_jobs_per_second: rates,
            failed,
            costs: typical.map(|run| run.costs).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_costs_are_those_of_the_median_round() {
        let run = |seconds, failed, cost| {
            let costs = Costs { disk_flushes_per_job: Some(cost), ..Costs::default() };
            Run { seconds, failed, costs }
        };
        let all = Measured::of(1000, vec![run(1.0, 0, 1.0), run(2.0, 1, 2.0), run(4.0, 2, 4.0)]);
        assert!((all.jobs_per_second - 500.0).abs() < 1e-6);
        assert_eq!(all.rounds_jobs_per_second.len(), 3);
        assert_eq!(all.failed, 3);
        assert_eq!(all.costs.disk_flushes_per_job, Some(2.0));
    }
}
