//! The capacity of workers, by type: how much they offer and how much is in use.

use std::collections::BTreeMap;

use store::{Worker, WorkerStatus};

/// One type of capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Load {
    /// The name of the type.
    pub(super) name: String,
    /// The units in use.
    pub(super) used: u64,
    /// The units that exist.
    pub(super) total: u64,
}

/// Returns the capacity of some workers together, ordered by name.
pub(super) fn loads<'a>(workers: impl IntoIterator<Item = &'a Worker>) -> Vec<Load> {
    let mut all: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for worker in workers {
        for (name, total) in worker.capacity_map.iter() {
            let used = total.saturating_sub(worker.free.units(name));
            let (all_used, all_total) = all.entry(name).or_default();
            *all_used += u64::from(used);
            *all_total += u64::from(total);
        }
    }
    let load = |(name, (used, total)): (&str, _)| Load { name: name.to_owned(), used, total };
    all.into_iter().map(load).filter(|load| load.total > 0).collect()
}

/// Returns the word of a status, for people and for the styles.
pub(super) fn status_word(status: WorkerStatus) -> (&'static str, &'static str) {
    match status {
        WorkerStatus::Running => ("live", "live"),
        WorkerStatus::Draining => ("draining", "draining"),
        WorkerStatus::Dead => ("died", "dead"),
        WorkerStatus::Shutdown => ("shut down", "shutdown"),
    }
}
