//! Subscriptions: their names, how far they have heard, and messages that are on their way.

use std::collections::BTreeSet;

use store::Dumped;

use super::{World, members};

/// What disagrees.
pub(super) fn disagreements(world: &World) -> Vec<String> {
    let named = members(world, "subscriptions");
    let there: BTreeSet<&str> =
        world.keys().filter_map(|key| key.strip_prefix("subscription:")).collect();
    let mut wrong = Vec::new();
    if named != there {
        wrong.push(format!("subscriptions are {named:?}, and there are {there:?}"));
    }
    let heard = matches!(world.get("subscriptions:cursor"), Some(Dumped::Text(_)));
    if heard == there.is_empty() {
        wrong.push(format!("events are read for subscriptions: {heard}, and there are {there:?}"));
    }
    for name in world.keys().filter_map(|key| key.strip_prefix("deliveries:")) {
        if !there.contains(name) {
            wrong.push(format!("messages are on their way to {name}, which is not there"));
        }
    }
    wrong
}
