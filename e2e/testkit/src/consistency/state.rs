//! The state of a store as values, and the questions that every check asks of it.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

/// Every key of a namespace with its value.
pub(super) type World = BTreeMap<String, Dumped>;
/// The records of all jobs, by id, without tombstones.
pub(super) type Jobs<'a> = BTreeMap<&'a str, &'a BTreeMap<String, String>>;

/// The records of all jobs. Tombstones are left out: they are in no index.
pub(super) fn jobs(world: &World) -> Jobs<'_> {
    let records = world.iter().filter_map(|(key, value)| {
        let Dumped::Hash(fields) = value else { return None };
        Some((key.strip_prefix("job:")?, fields))
    });
    records.filter(|(_, job)| job.get("status").is_none_or(|status| status != "deleted")).collect()
}

/// True when a job has a final status.
pub(super) fn is_over(job: &BTreeMap<String, String>) -> bool {
    !runs(job) && job.get("status").is_none_or(|status| status != "waiting")
}

/// True when a worker runs the job.
pub(super) fn runs(job: &BTreeMap<String, String>) -> bool {
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
