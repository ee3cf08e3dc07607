//! All waiting jobs, grouped by why they wait. The reason of a group is that of its first jobs, as
//! `wait_reason` returns it; the counts come from the indexes, so they are exact for any number.

use std::collections::BTreeMap;

use domain::capacity::Class;
use domain::job::{Job, JobId, Timestamp};
use domain::lock::LockName;
use store::{PlaceKind, Store, StoreError, WaitingPlace};

use crate::wait_reason::{Reason, wait_reasons};

/// How many jobs are examined in all. Places beyond them are left out.
const MOST_EXAMINED: usize = 400;
/// How many locks with a wait queue are checked for a holder that has held them for long.
const MOST_LOCKS: usize = 20;
/// A lock that is held for longer, while jobs wait for it, is listed.
pub(crate) const LONG_HELD_MS: i64 = 10 * 60_000;

/// All waiting jobs.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// The number of waiting jobs.
    pub(crate) total: u64,
    /// The groups, first those that will not start without help, then the largest.
    pub(crate) groups: Vec<Group>,
    /// The locks that a job has held for long while others wait.
    pub(crate) long_held: Vec<LongHeld>,
    /// True if some jobs are not in a group, because there are too many places to look at.
    pub(crate) is_cut: bool,
}

/// The jobs that wait for the same reason.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The code of the reason.
    pub(crate) code: &'static str,
    /// What they wait for: a lock, a class, an action, a queue. Empty if that differs.
    pub(crate) subject: String,
    /// The number of jobs.
    pub(crate) count: u64,
    /// The time at which the first of them was due.
    pub(crate) oldest: Timestamp,
    /// The first of them.
    pub(crate) sample: JobId,
    /// Its number.
    pub(crate) sample_number: u64,
    /// Why it waits.
    pub(crate) message: String,
}

/// A lock that a job has held for long while others wait.
#[derive(Debug, Clone)]
pub(crate) struct LongHeld {
    /// The lock.
    pub(crate) name: LockName,
    /// The job that has held it for the longest time.
    pub(crate) holder: JobId,
    /// The number of that job.
    pub(crate) holder_number: u64,
    /// The time at which that job started.
    pub(crate) since: Timestamp,
    /// The number of jobs that wait.
    pub(crate) waiting: u64,
}

/// The codes, first those that will not change without help.
const URGENCY: [&str; 14] = [
    "outage",
    "capacity",
    "action",
    "draining",
    "paused",
    "lock",
    "rate",
    "gathering",
    "fairness",
    "queue",
    "signal",
    "children",
    "dependency",
    "due",
];

/// Reads all waiting jobs and groups them.
pub(crate) async fn waiting(store: &Store, now: Timestamp) -> Result<Waiting, StoreError> {
    let found = store.waiting_places().await?;
    let mut places = found.places;
    places.sort_by_key(|place| std::cmp::Reverse(place.count));
    let mut left = MOST_EXAMINED;
    let examined = places.iter().take_while(|place| {
        let fits = left > 0;
        left = left.saturating_sub(place.first.len());
        fits
    });
    let examined = examined.count();
    let is_cut = found.is_cut || examined < places.len();
    places.truncate(examined);
    let ids: Vec<JobId> = places.iter().flat_map(|place| place.first.iter().copied()).collect();
    let jobs = store.jobs_by_id(&ids).await?;
    let reasons = wait_reasons(store, &jobs).await?;
    let known: BTreeMap<JobId, (Job, Reason)> = jobs
        .into_iter()
        .zip(reasons)
        .filter_map(|(job, reason)| Some((job.id, (job, reason?))))
        .collect();
    let long_held = long_held(store, &places, now).await?;
    Ok(Waiting { total: found.total, groups: groups(&places, &known), long_held, is_cut })
}

/// Adds up the places by reason. Pure.
fn groups(places: &[WaitingPlace], known: &BTreeMap<JobId, (Job, Reason)>) -> Vec<Group> {
    let mut groups: BTreeMap<(&'static str, String), Group> = BTreeMap::new();
    for place in places {
        let first: Vec<&(Job, Reason)> =
            place.first.iter().filter_map(|id| known.get(id)).collect();
        // Most of the jobs that are not examined wait like the last of those that are.
        let Some(last) = first.last() else { continue };
        let others = place.count.saturating_sub(first.len() as u64);
        let counted = first.iter().map(|one| (*one, 1)).chain([(*last, others)]);
        for ((job, reason), count) in counted.filter(|(_, count)| *count > 0) {
            let subject = subject(&place.kind, job, reason);
            let new = || Group {
                code: reason.code,
                subject: subject.clone(),
                count: 0,
                oldest: job.scheduled_at,
                sample: job.id,
                sample_number: job.number,
                message: reason.message.clone(),
            };
            let group = groups.entry((reason.code, subject.clone())).or_insert_with(new);
            group.count += count;
            if (job.scheduled_at, job.number) < (group.oldest, group.sample_number) {
                *group = Group { count: group.count, ..new() };
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| (urgency(group.code), std::cmp::Reverse(group.count)));
    groups
}

fn urgency(code: &str) -> usize {
    URGENCY.iter().position(|known| *known == code).unwrap_or(URGENCY.len())
}

/// Returns what a job waits for, in a few words; empty if the code says it.
fn subject(place: &PlaceKind, job: &Job, reason: &Reason) -> String {
    match (reason.code, place) {
        ("lock", PlaceKind::Lock(name)) => name.to_string(),
        ("rate", PlaceKind::Lock(name)) if name.rate_key().is_some() => {
            name.rate_key().unwrap_or_default().to_owned()
        }
        ("rate", _) => job.spec.locks.rates().next().map_or("", |(key, _)| key).to_owned(),
        ("lock", _) => first_lock(job).map(ToString::to_string).unwrap_or_default(),
        ("paused", _) => reason.message.split(" is paused").next().unwrap_or_default().to_owned(),
        ("capacity" | "draining" | "gathering", _) => need(&job.class),
        ("action", _) => job.spec.action.to_string(),
        ("queue" | "fairness", _) => job.queue().to_string(),
        ("signal", _) => {
            job.awaited_signal.as_ref().map(|one| one.name.to_string()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

fn need(class: &Class) -> String {
    class.need().to_string()
}

fn first_lock(job: &Job) -> Option<&LockName> {
    job.spec.locks.iter().map(|(name, _)| name).find(|name| name.rate_key().is_none())
}

/// Returns the locks with the longest wait queues that one job has held for long.
async fn long_held(
    store: &Store,
    places: &[WaitingPlace],
    now: Timestamp,
) -> Result<Vec<LongHeld>, StoreError> {
    let mut found = Vec::new();
    let locks = places.iter().filter_map(|place| match &place.kind {
        PlaceKind::Lock(name) => Some((name, place.count)),
        PlaceKind::Due
        | PlaceKind::Queue(_)
        | PlaceKind::Backlog(_)
        | PlaceKind::Dependencies
        | PlaceKind::Children
        | PlaceKind::Signal => None,
    });
    for (name, waiting) in locks.take(MOST_LOCKS) {
        let lock = store.lock(name).await?;
        let holders = lock.holders.iter().filter_map(|one| Some((one.job.started_at?, &one.job)));
        let Some((since, job)) = holders.min_by_key(|(since, _)| *since) else { continue };
        if now.ms() - since.ms() >= LONG_HELD_MS {
            found.push(LongHeld {
                name: name.clone(),
                holder: job.id,
                holder_number: job.number,
                since,
                waiting,
            });
        }
    }
    found.sort_by_key(|held| held.since);
    Ok(found)
}
