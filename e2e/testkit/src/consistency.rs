//! The invariant behind every list and count: records, indexes, leases and locks agree at every moment.

mod batches;
mod offers;
mod records;
mod relations;
mod routing;
mod state;
mod subscriptions;
mod waiting;

use std::collections::BTreeMap;

use store::{Dumped, Store};

/// Panics with a list of what disagrees, if anything does.
pub async fn assert_consistent(store: &Store) {
    let world = store.dump().await.expect("the store can be read");
    let wrong = disagreements(&world);
    assert!(wrong.is_empty(), "the store disagrees with itself:\n{}", wrong.join("\n"));
}

/// Returns what disagrees in this state of the store.
#[must_use]
pub fn disagreements(world: &BTreeMap<String, Dumped>) -> Vec<String> {
    let jobs = state::jobs(world);
    let mut wrong = records::disagreements(world, &jobs);
    wrong.extend(batches::disagreements(world, &jobs));
    wrong.extend(waiting::disagreements(world, &jobs));
    wrong.extend(routing::disagreements(world, &jobs));
    wrong.extend(relations::disagreements(world, &jobs));
    wrong.extend(subscriptions::disagreements(world));
    wrong
}
