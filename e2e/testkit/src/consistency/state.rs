//! The state of a store as values, and the questions that every check asks of it.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

/// Every key of a namespace with its value.
pub(super) type World = BTreeMap<String, Dumped>;
/// The records of all jobs, by id, without tombstones.
pub(super) type Jobs<'a> = BTreeMap<&'a str, &'a Fields>;

/// The records of all jobs. Tombstones are left out: they are in no index.
pub(super) fn jobs(world: &World) -> Jobs<'_> {
    let records = world.iter().filter_map(|(key, value)| {
        let Dumped::Hash(fields) = value else { return None };
        Some((key.strip_prefix("job:")?, fields))
    });
    records.filter(|(_, job)| job.get("status").is_none_or(|status| status != "deleted")).collect()
}

/// A record of a job, or another hash.
pub(super) type Fields = BTreeMap<String, String>;

/// True when a job has a final status.
pub(super) fn is_over(job: &Fields) -> bool {
    !runs(job) && job.get("status").is_none_or(|status| status != "waiting")
}

/// True when a worker runs the job.
pub(super) fn runs(job: &Fields) -> bool {
    job.get("status").is_some_and(|status| status == "running" || status == "cancel_request")
}

/// The members of a set or a sorted set; none when the key does not exist.
pub(super) fn members<'a>(world: &'a World, key: &str) -> BTreeSet<&'a str> {
    match world.get(key) {
        Some(Dumped::Sorted(members)) => members.keys().map(String::as_str).collect(),
        Some(Dumped::Set(members)) => members.iter().map(String::as_str).collect(),
        Some(Dumped::Text(_) | Dumped::Hash(_) | Dumped::List(_) | Dumped::Stream(_)) | None => {
            BTreeSet::new()
        }
    }
}

/// How a waiting job stands in a sorted set: by its number, then its id.
pub(super) fn member_of(id: &str, job: &Fields) -> String {
    let number = job.get("number").map_or("", String::as_str);
    format!("{number:0>16}:{id}")
}

/// The id in such a member.
pub(super) fn id_of(member: &str) -> &str {
    member.split_once(':').map_or(member, |(_, id)| id)
}

/// The score of a member of a sorted set; `None` when it is not there.
pub(super) fn score_of(world: &World, key: &str, member: &str) -> Option<f64> {
    let Some(Dumped::Sorted(members)) = world.get(key) else { return None };
    members.get(member).copied()
}

/// The queue that a job is offered through, as its record says.
pub(super) fn queue_of(job: &Fields) -> String {
    let action = job.get("actionQueue").and(job.get("action"));
    let action = action.map(|action| format!("@{action}")).unwrap_or_default();
    format!("{}{action}.{}", job["class"], priority_of(job))
}

/// The priority of a job. A record has one only when it is not `normal`.
pub(super) fn priority_of(job: &Fields) -> &str {
    job.get("priority").map_or("normal", String::as_str)
}

/// The counts in a hash; none when the key does not exist.
pub(super) fn counts(world: &World, key: &str) -> BTreeMap<String, u64> {
    let Some(Dumped::Hash(counts)) = world.get(key) else { return BTreeMap::new() };
    counts.iter().map(|(name, count)| (name.clone(), count.parse().unwrap_or(u64::MAX))).collect()
}

/// Adds what disagrees when a hash of counts is not what the records give.
pub(super) fn compare(
    wrong: &mut Vec<String>,
    what: &str,
    found: &BTreeMap<String, u64>,
    wanted: &BTreeMap<String, u64>,
) {
    if found != wanted {
        wrong.push(format!("{what} is {found:?}, and the records give {wanted:?}"));
    }
}
