//! Subscriptions: their names, their cursor in the stream of events, and messages that are not
//! delivered.

use std::collections::BTreeSet;

use store::Dumped;

use super::state::{World, members};

/// Returns what disagrees.
pub(super) fn disagreements(world: &World) -> Vec<String> {
    let named = members(world, "subscriptions");
    let there: BTreeSet<&str> =
        world.keys().filter_map(|key| key.strip_prefix("subscription:")).collect();
    let mut wrong = Vec::new();
    if named != there {
        wrong.push(format!("the names of subscriptions are {named:?}, and {there:?} exist"));
    }
    let cursor = matches!(world.get("subscriptions:cursor"), Some(Dumped::Text(_)));
    if cursor == there.is_empty() {
        wrong.push(format!("a cursor exists: {cursor}, and the subscriptions are {there:?}"));
    }
    for name in world.keys().filter_map(|key| key.strip_prefix("deliveries:")) {
        if !there.contains(name) {
            wrong.push(format!("messages are listed for {name}, which does not exist"));
        }
    }
    wrong
}
