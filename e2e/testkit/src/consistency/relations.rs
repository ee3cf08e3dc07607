//! Relations between jobs: dependencies, parents and children, and ends that are not propagated
//! yet.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

use super::state::{Jobs, World, id_of, is_over, member_of, members};

/// Returns what disagrees.
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
            for member in members(world, key) {
                let id = id_of(member);
                *blockers.entry(id).or_default() += 1;
                // A dependent that was cancelled may have left the history.
                if jobs.get(id).is_some_and(|job| member != member_of(id, job)) {
                    wrong.push(format!("{member} in {key} does not have the number of {id}"));
                }
            }
            let is_open = jobs.get(on).is_some_and(|job| !is_over(job));
            if !is_open && !noted(&format!("dependents {on} ")) {
                wrong.push(format!("jobs wait for {on}, which is over, and its end is not noted"));
            }
        }
        if let Some(group) = key.strip_prefix("children:") {
            for id in members(world, key) {
                let job = jobs.get(id);
                let mine =
                    job.is_none_or(|job| job.get("parentGroup").is_some_and(|of| of == group));
                let is_open = job.is_some_and(|job| !is_over(job));
                if !mine || (!is_open && !noted(&format!("child {id} {group} "))) {
                    wrong.push(format!("{id} is listed as an open child of {group}, and is not"));
                }
            }
        }
        if let Some(first) = key.strip_prefix("chain:")
            && members(world, key) != chain(jobs, first)
        {
            wrong.push(format!("{key} does not hold the jobs that carry {first} on"));
        }
        if let Some(group) = key.strip_prefix("jobs:parent:") {
            let of = |job: &&BTreeMap<String, String>| {
                job.get("parentGroup").is_some_and(|p| p == group)
            };
            let children = jobs.iter().filter(|(_, job)| of(job)).map(|(id, _)| *id);
            if members(world, key) != children.collect() {
                wrong.push(format!("{key} does not hold the children of {group}"));
            }
        }
        if let Some(group) = key.strip_prefix("stopping:")
            && !noted(&format!("stop {group}"))
        {
            wrong.push(format!("the children of {group} are to be stopped, and that is not noted"));
        }
    }
    for (id, job) in jobs {
        let is_followed = job.contains_key("followUpID").then_some(*id);
        if let Some(first) = job.get("firstID").map(String::as_str).or(is_followed)
            && !members(world, &format!("chain:{first}")).contains(id)
        {
            wrong.push(format!("{id} is missing in the chain of {first}"));
        }
    }
    for (id, job) in jobs.iter().filter(|(_, job)| job["status"] == "waiting") {
        let found = blockers.get(id).copied().unwrap_or(0);
        let says = job.get("blockers").map_or(0, |count| count.parse().unwrap_or(0));
        if found != says {
            wrong.push(format!(
                "{id} counts {says} dependencies, and {found} jobs list it as a dependent"
            ));
        }
        let children =
            job.get("childGroup").map(|group| members(world, &format!("children:{group}")));
        if job.contains_key("awaitsChildren") && children.is_none_or(|children| children.is_empty())
        {
            wrong.push(format!("{id} waits for children, and has no open ones"));
        }
    }
    for (id, job) in jobs.iter().filter(|(_, job)| !is_over(job)) {
        let Some(group) = job.get("childGroup") else { continue };
        let parents = match world.get("parents") {
            Some(Dumped::Hash(parents)) => parents.get(group).map(String::as_str),
            _ => None,
        };
        if parents != Some(*id) {
            wrong.push(format!("{id} is the parent of {group}, and is not listed as it"));
        }
    }
    wrong
}

/// Returns the jobs that carry a job on, and that job when it is carried on.
fn chain<'a>(jobs: &Jobs<'a>, first: &str) -> BTreeSet<&'a str> {
    let belongs = |id: &str, job: &BTreeMap<String, String>| match job.get("firstID") {
        Some(own) => own == first,
        None => id == first && job.contains_key("followUpID"),
    };
    jobs.iter().filter(|(id, job)| belongs(id, job)).map(|(id, _)| *id).collect()
}
