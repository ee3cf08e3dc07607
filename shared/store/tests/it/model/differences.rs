//! What differs between two states of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use store::Dumped;

use super::state::World;

/// The differences between two states of the store, as text.
pub(super) fn differences(found: &World, wanted: &World) -> String {
    let mut text = String::new();
    let keys: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for key in keys {
        match (found.get(key), wanted.get(key)) {
            (Some(Dumped::Hash(found)), Some(Dumped::Hash(wanted))) if found != wanted => {
                let _ = writeln!(text, "{key}: {}", fields_that_differ(found, wanted));
            }
            (Some(Dumped::Stream(found)), Some(Dumped::Stream(wanted))) if found != wanted => {
                let same = found.iter().zip(wanted).take_while(|(one, other)| one == other).count();
                let (found, wanted) = (&found[same..], &wanted[same..]);
                let _ = writeln!(text, "{key}, from {same}:\n  is {found:?}\n  not {wanted:?}");
            }
            (found, wanted) if found != wanted => {
                let _ = writeln!(text, "{key}:\n  is {found:?}\n  not {wanted:?}");
            }
            _ => {}
        }
    }
    text
}

fn fields_that_differ(
    found: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> String {
    let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let differ = names.into_iter().filter(|name| found.get(*name) != wanted.get(*name));
    let texts =
        differ.map(|name| format!("{name} is {:?} not {:?}", found.get(name), wanted.get(name)));
    texts.collect::<Vec<_>>().join(", ")
}
