//! What is offered: the counts of each fairness group and each owner, and backlogs only where a
//! window is full.

use std::collections::{BTreeMap, BTreeSet};

use store::Dumped;

use super::state::{Fields, World, compare, counts, members, queue_of};

/// How many jobs of a fairness group are offered at a time; `offer_window` of the scripts.
const OFFER_WINDOW: u64 = 64;
/// How many jobs of all groups of an owner that have a key are; `keyed_window` of the scripts.
const KEYED_WINDOW: u64 = 192;

/// The jobs that are offered, counted.
#[derive(Default)]
pub(super) struct Offers {
    by_group: BTreeMap<String, u64>,
    keyed_by_owner: BTreeMap<String, u64>,
}

impl Offers {
    /// Adds an offered job.
    pub(super) fn add(&mut self, job: &Fields) {
        *self.by_group.entry(group(job)).or_default() += 1;
        if job.contains_key("fairnessKey") {
            *self.keyed_by_owner.entry(owner(job)).or_default() += 1;
        }
    }

    /// Returns what disagrees with these counts.
    pub(super) fn disagreements(&self, world: &World) -> Vec<String> {
        let mut wrong = Vec::new();
        compare(&mut wrong, "offered", &counts(world, "offered"), &self.by_group);
        compare(&mut wrong, "offered:keyed", &counts(world, "offered:keyed"), &self.keyed_by_owner);
        let offered = |group: &str| self.by_group.get(group).copied().unwrap_or(0);
        let mut waiting = BTreeSet::new();
        for key in world.keys() {
            let Some(owner) = key.strip_prefix("turns:") else { continue };
            let groups: Vec<String> =
                members(world, key).iter().map(|key| format!("{owner}:{key}")).collect();
            let keyed = self.keyed_by_owner.get(owner).copied().unwrap_or(0);
            let has_room = groups.iter().any(|group| offered(group) < OFFER_WINDOW);
            if has_room && keyed < KEYED_WINDOW {
                wrong.push(format!("{owner} has groups that wait, and room in its window"));
            }
            waiting.extend(groups);
        }
        for group in world.keys().filter_map(|key| key.strip_prefix("backlog:")) {
            if offered(group) < OFFER_WINDOW && !waiting.contains(group) {
                wrong.push(format!("{group} has a backlog, and room in its window"));
            }
        }
        let is_empty = |group: &&String| {
            !matches!(world.get(&format!("backlog:{group}")), Some(Dumped::Sorted(_)))
        };
        let empty = waiting.iter().filter(is_empty);
        wrong.extend(empty.map(|group| format!("{group} waits for its turn without a backlog")));
        wrong
    }
}

/// What the owner of a job has in its queue.
fn owner(job: &Fields) -> String {
    format!("{}:{}", queue_of(job), job.get("owner").map(String::as_str).unwrap_or_default())
}

/// The fairness group of a job.
pub(super) fn group(job: &Fields) -> String {
    let key = job.get("fairnessKey").map(|key| format!(":{key}"));
    format!("{}{}", owner(job), key.unwrap_or_default())
}
