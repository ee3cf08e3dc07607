//! What jobs wait for of other jobs: who depends on whom, whose child one is, and what is noted of ends.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

use super::{Jobs, World, is_over, members};

/// What disagrees.
pub(super) fn disagreements(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let notes: BTreeSet<String> = match world.get("propagations") {
        Some(Dumped::List(notes)) => notes.iter().cloned().collect(),
        _ => BTreeSet::new(),
    };
    let noted = |start: &str| notes.iter().any(|note| note.starts_with(start));
    let mut blockers: BTreeMap<&str, u64> = BTreeMap::new();
    for key in world.keys() {
        if let Some(on) = key.strip_prefix("dependents:") {
            for id in members(world, key) {
                *blockers.entry(id).or_default() += 1;
            }
            let goes_on = jobs.get(on).is_some_and(|job| !is_over(job));
            if !goes_on && !noted(&format!("dependents {on} ")) {
                wrong.push(format!("jobs wait for {on}, which is over, and nobody tells them"));
            }
        }
        if let Some(family) = key.strip_prefix("children:") {
            for id in members(world, key) {
                let job = jobs.get(id);
                let mine =
                    job.is_none_or(|job| job.get("parentGroup").is_some_and(|of| of == family));
                let goes_on = job.is_some_and(|job| !is_over(job));
                if !mine || (!goes_on && !noted(&format!("child {id} {family} "))) {
                    wrong.push(format!("{id} is no child of {family} any more"));
                }
            }
        }
        if let Some(family) = key.strip_prefix("jobs:parent:") {
            let of = |job: &&BTreeMap<String, String>| {
                job.get("parentGroup").is_some_and(|p| p == family)
            };
            let children = jobs.iter().filter(|(_, job)| of(job)).map(|(id, _)| *id);
            if members(world, key) != children.collect() {
                wrong.push(format!("{key} does not hold the children of {family}"));
            }
        }
        if let Some(family) = key.strip_prefix("stopping:")
            && !noted(&format!("stop {family}"))
        {
            wrong.push(format!("the children of {family} are to be stopped, and nobody does"));
        }
    }
    for (id, job) in jobs.iter().filter(|(_, job)| job["status"] == "waiting") {
        let found = blockers.get(id).copied().unwrap_or(0);
        let says = job.get("blockers").map_or(0, |count| count.parse().unwrap_or(0));
        if found != says {
            wrong.push(format!("{id} waits for {says} jobs, and {found} know of it"));
        }
        let children =
            job.get("childGroup").map(|family| members(world, &format!("children:{family}")));
        if job.contains_key("awaitsChildren") && children.is_none_or(|children| children.is_empty())
        {
            wrong.push(format!("{id} waits for children, and has none"));
        }
    }
    for (id, job) in jobs.iter().filter(|(_, job)| !is_over(job)) {
        let Some(family) = job.get("childGroup") else { continue };
        let parents = match world.get("parents") {
            Some(Dumped::Hash(parents)) => parents.get(family).map(String::as_str),
            _ => None,
        };
        if parents != Some(*id) {
            wrong.push(format!("{id} is the parent of {family}, and not known as it"));
        }
    }
    wrong
}
