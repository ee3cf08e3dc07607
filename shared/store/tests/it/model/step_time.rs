//! The time of a step, read from what it wrote.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

use super::routing::NO_QUEUE_MS;
use super::state::{Fields, World};

/// The time of a step; `None` when it wrote no time.
pub(super) fn step_time(before: &World, after: &World) -> Option<i64> {
    let mut found = BTreeSet::new();
    let none = Fields::new();
    for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(*value)) {
        match value {
            Dumped::Hash(job) if key.starts_with("job:") => {
                let old = match before.get(key) {
                    Some(Dumped::Hash(old)) => old,
                    _ => &none,
                };
                for field in ["lastUpdated", "unblockedAt", "parkedAt", "signalledAt"] {
                    let at = job.get(field).filter(|at| old.get(field) != Some(*at));
                    found.extend(at.map(|at| at.parse::<i64>().unwrap()));
                }
            }
            Dumped::Sorted(offered) if key.starts_with("ready:") => {
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old,
                    Some(_) | None => &BTreeMap::new(),
                };
                let new = offered.iter().filter(|(id, at)| old.get(*id) != Some(*at));
                found.extend(new.map(|(_, at)| *at as i64).max());
            }
            Dumped::Hash(routing) if key == "routing" => {
                let old = match before.get(key) {
                    Some(Dumped::Hash(old)) => old,
                    _ => &none,
                };
                let opened = routing.iter().filter(|(field, since)| {
                    field.starts_with("queue:") && old.get(*field) != Some(*since)
                });
                found.extend(opened.map(|(_, since)| since.parse::<i64>().unwrap()));
            }
            // A job for whose queue there is no room is due again later than it should be.
            Dumped::Sorted(due) if key == "due" => {
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old,
                    Some(_) | None => &BTreeMap::new(),
                };
                let new = due.iter().filter(|(member, at)| old.get(*member) != Some(*at));
                let delayed = new.filter(|(member, at)| scheduled_at(after, member) < **at as i64);
                found.extend(delayed.map(|(_, at)| *at as i64 - NO_QUEUE_MS));
            }
            // A lock without a limit is looked at again at once, others after two seconds.
            Dumped::Sorted(grants) if key == "grants" => {
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old.clone(),
                    Some(_) | None => BTreeMap::new(),
                };
                // That of a rate limit is when a job may start.
                let locks = grants.iter().filter(|(name, _)| !name.starts_with("rate:"));
                let new = locks.filter(|(name, at)| old.get(*name) != Some(*at));
                let ahead = chrono::Utc::now().timestamp_millis() + 500;
                found.extend(
                    new.map(|(_, at)| *at as i64).map(
                        |at| {
                            if at > ahead { at - 2_000 } else { at }
                        },
                    ),
                );
            }
            Dumped::Stream(lines) if key.starts_with("log:") => {
                found.extend(lines.last().map(|line| line["at"].parse::<i64>().unwrap()));
            }
            Dumped::Text(_)
            | Dumped::Hash(_)
            | Dumped::Set(_)
            | Dumped::Sorted(_)
            | Dumped::List(_)
            | Dumped::Stream(_) => {}
        }
    }
    found.pop_last()
}

/// When a job is due, of which this is the member of a sorted set.
fn scheduled_at(world: &World, member: &str) -> i64 {
    let id = member.split_once(':').unwrap().1;
    let Some(Dumped::Hash(job)) = world.get(&format!("job:{id}")) else { return i64::MAX };
    job["scheduledAt"].parse().unwrap()
}
