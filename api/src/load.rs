//! The capacity of workers, by type: how much they offer and how much is in use. Pure.

use std::collections::BTreeMap;

use store::Worker;

/// One type of capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    /// The name of the type.
    pub(crate) name: String,
    /// The units in use.
    pub(crate) used: u64,
    /// The units that exist.
    pub(crate) total: u64,
}

/// Returns the capacity of some workers together, ordered by name.
pub(crate) fn loads<'a>(workers: impl IntoIterator<Item = &'a Worker>) -> Vec<Load> {
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
