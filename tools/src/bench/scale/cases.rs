//! What `bench scale` varies: one thing at a time.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::jobs::{ACTION, no_op};
use crate::numbers::grouped;
use crate::phase::Submission;

/// The capacity of each simulated worker. Jobs of different queues differ in their units of `bench`.
pub(super) const CAPACITY: &str = "default=256,bench=25600";
/// The type of the queues.
const TYPE: &str = "bench";

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Dimension {
    KeptJobs,
    Workers,
    Queues,
    FairnessGroups,
    Kind,
}

/// One measurement: jobs with these properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) dimension: Dimension,
    /// How many jobs are kept before it begins; `None` for any number.
    pub(super) kept: Option<u64>,
    pub(super) workers: u16,
    pub(super) jobs: Jobs,
}

/// What its jobs are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jobs {
    NoOp,
    /// Spread over so many queues.
    Queues(u64),
    /// Spread over so many fairness groups.
    Groups(u64),
    /// Each with a lock of its own.
    Lock,
    /// A third of each priority.
    Priorities,
    /// Every second job depends on the one before.
    Dependency,
    /// Each fails, and its only retry fails too.
    Retry,
    /// Each logs 10 lines.
    LogLines,
}

impl Dimension {
    /// The title in tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Dimension::KeptJobs => "kept jobs",
            Dimension::Workers => "workers",
            Dimension::Queues => "queues",
            Dimension::FairnessGroups => "fairness groups",
            Dimension::Kind => "kind",
        }
    }
}

impl Case {
    /// Every case, in the order in which they are measured: the number of kept jobs only grows, and
    /// that of workers changes as seldom as possible.
    pub(super) fn all(kept: &[u64], workers: &[u16], queues: &[u64]) -> Vec<Case> {
        let case = |dimension, jobs| Case { dimension, kept: None, workers: 1, jobs };
        let kinds = [
            Jobs::NoOp,
            Jobs::Lock,
            Jobs::Priorities,
            Jobs::Dependency,
            Jobs::Retry,
            Jobs::LogLines,
        ];
        let mut all = Vec::new();
        all.extend(
            sorted(kept)
                .map(|kept| Case { kept: Some(kept), ..case(Dimension::KeptJobs, Jobs::NoOp) }),
        );
        all.extend(sorted(queues).map(Jobs::Queues).map(|jobs| case(Dimension::Queues, jobs)));
        let groups = [1, 100].map(Jobs::Groups);
        all.extend(groups.map(|jobs| case(Dimension::FairnessGroups, jobs)));
        all.extend(kinds.map(|jobs| case(Dimension::Kind, jobs)));
        let case = case(Dimension::Workers, Jobs::NoOp);
        all.extend(sorted(workers).map(|workers| Case { workers, ..case.clone() }));
        all
    }

    /// The value that is varied, when so many jobs are kept.
    pub(super) fn value(&self, kept: u64) -> String {
        match self.dimension {
            Dimension::KeptJobs => grouped(kept as f64),
            Dimension::Workers => grouped(f64::from(self.workers)),
            Dimension::Queues | Dimension::FairnessGroups | Dimension::Kind => self.jobs.name(),
        }
    }
}

fn sorted<T: Copy + Ord>(values: &[T]) -> impl Iterator<Item = T> + use<T> {
    BTreeSet::from_iter(values.iter().copied()).into_iter()
}

impl Jobs {
    fn name(self) -> String {
        match self {
            Jobs::NoOp => "no-op".to_owned(),
            Jobs::Queues(count) | Jobs::Groups(count) => count.to_string(),
            Jobs::Lock => "with a lock".to_owned(),
            Jobs::Priorities => "with priorities".to_owned(),
            Jobs::Dependency => "half with a dependency".to_owned(),
            Jobs::Retry => "with one retry".to_owned(),
            Jobs::LogLines => "with 10 log lines".to_owned(),
        }
    }

    /// The job with a number, of those that are submitted in batches.
    pub(super) fn submission(self, number: u64) -> Value {
        match self {
            Jobs::NoOp => no_op(number),
            Jobs::Queues(count) => {
                json!({"action": ACTION, "capacityMap": {TYPE: 1 + number % count}})
            }
            Jobs::Groups(count) => {
                json!({"action": ACTION, "fairnessKey": format!("bench-{}", number % count)})
            }
            Jobs::Lock => json!({"action": ACTION, "locks": [format!("bench-{number}")]}),
            Jobs::Priorities => {
                let priority = ["high", "normal", "low"][(number % 3) as usize];
                json!({"action": ACTION, "priority": priority})
            }
            Jobs::Dependency => {
                let in_batch = number % Submission::BATCHES.jobs as u64;
                let before = in_batch.checked_sub(1).filter(|_| in_batch % 2 == 1);
                let before: Vec<String> = before.map(|it| format!("#{it}")).into_iter().collect();
                json!({"action": ACTION, "dependsOn": before})
            }
            Jobs::Retry => {
                json!({"action": "false", "retries": 1, "backoff": {"base": "1ms", "max": "1ms"}})
            }
            Jobs::LogLines => json!({"action": ACTION, "parameters": {"logLines": 10}}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_jobs_only_grow_and_workers_change_seldom() {
        let all = Case::all(&[10_000, 1_000, 1_000], &[100, 1, 10], &[1, 200, 20]);
        let kept: Vec<u64> = all.iter().filter_map(|case| case.kept).collect();
        assert_eq!(kept, [1_000, 10_000]);
        assert!(all.iter().map(|case| case.workers).is_sorted());
        let values = |dimension| {
            let cases = all.iter().filter(move |case| case.dimension == dimension);
            cases.map(|case| case.value(12_345)).collect::<Vec<_>>()
        };
        assert_eq!(values(Dimension::KeptJobs), ["12,345"; 2]);
        assert_eq!(values(Dimension::Workers), ["1", "10", "100"]);
        assert_eq!(values(Dimension::Queues), ["1", "20", "200"]);
    }

    #[test]
    fn every_second_job_of_a_batch_depends_on_the_one_before() {
        let on = |number| Jobs::Dependency.submission(number)["dependsOn"].to_string();
        let found = [0, 1, 2, 3, 1000, 1001].map(on);
        assert_eq!(found, ["[]", "[\"#0\"]", "[]", "[\"#2\"]", "[]", "[\"#0\"]"]);
    }
}
