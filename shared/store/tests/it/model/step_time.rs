//! The time of a step, read from what it wrote.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

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
                let at = job.get("lastUpdated").filter(|at| old.get("lastUpdated") != Some(*at));
                found.extend(at.map(|at| at.parse::<i64>().unwrap()));
            }
            Dumped::Sorted(offered) if key.starts_with("ready:") => {
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old,
                    Some(_) | None => &BTreeMap::new(),
                };
                let new = offered.iter().filter(|(id, at)| old.get(*id) != Some(*at));
                found.extend(new.map(|(_, at)| *at as i64).max());
            }
            // A lock without a limit is looked at again at once, others after two seconds.
            Dumped::Sorted(grants) if key == "grants" => {
                let old = match before.get(key) {
                    Some(Dumped::Sorted(old)) => old.clone(),
                    Some(_) | None => BTreeMap::new(),
                };
                let new = grants.iter().filter(|(name, at)| old.get(*name) != Some(*at));
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
