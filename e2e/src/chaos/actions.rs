//! The actions of the workload. All of them run the same command; they differ in which workers
//! know them.

use std::collections::BTreeSet;

use domain::job::Job;

/// The key of the rate limit, how many jobs may start in a second, and how many at once.
pub(crate) const PACED: (&str, u32, u32) = ("paced", 2, 2);

/// The key of the calendar limit, and how many jobs may start in each minute.
pub(crate) const COUNTED: (&str, u32) = ("counted", 60);

/// The action of most jobs.
pub(crate) const ACTION: &str = "recorded";
/// The action of jobs that are cancelled by a filter.
pub(crate) const SWEPT_ACTION: &str = "swept";
/// An action that two workers in three know.
pub(crate) const COMMON_ACTION: &str = "common";

/// The actions that jobs use from the start, and how many workers in 100 know each.
pub(crate) const ACTIONS: [(&str, u32); 5] =
    [(ACTION, 90), (SWEPT_ACTION, 60), (COMMON_ACTION, 65), ("partial", 40), ("rare", 20)];

/// The actions that are rolled out during the experiment, worker by worker.
pub(crate) const ROLLED_OUT: [&str; 8] =
    ["new-1", "new-2", "new-3", "new-4", "new-5", "new-6", "new-7", "new-8"];

/// What a worker knows besides the built-in actions.
pub(crate) type ActionSet = BTreeSet<&'static str>;

/// The names of all actions.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    ACTIONS.into_iter().map(|(name, _)| name).chain(ROLLED_OUT)
}

/// Whether the command of a job records its runs.
pub(crate) fn is_recorded(job: &Job) -> bool {
    all().any(|name| name == job.spec.action.as_str())
}
