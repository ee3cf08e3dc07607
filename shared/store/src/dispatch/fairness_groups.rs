//! The fairness groups of queues: how many of their jobs are offered, and how many wait behind those.
//! They are read in small steps; the counts are not of one moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::error::StoreError;
use crate::store::Store;
use domain::queue::QueueName;

/// The jobs of one owner in a queue that have the same fairness key, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FairnessGroup {
    /// Who submitted them, if that is known.
    pub owner: Option<String>,
    /// Their fairness key.
    pub key: Option<String>,
    /// How many of them are in the outbox or offered.
    pub offered: u64,
    /// How many of them could run and are in the backlog.
    pub behind: u64,
}

/// The fairness groups of a queue that have jobs offered or in their backlog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FairnessGroups {
    /// How many groups there are.
    pub count: usize,
    /// How many jobs of all groups are offered.
    pub offered: u64,
    /// How many jobs of all groups are in backlogs.
    pub behind: u64,
    /// The groups with the most jobs, largest first; at most 8.
    pub largest: Vec<FairnessGroup>,
}

/// How many groups of a queue are named.
const MOST_NAMED: usize = 8;
/// How many entries one small read asks for.
const STEP: usize = 500;

impl Store {
    /// The fairness groups of each queue.
    pub(super) async fn groups_by_queue(
        &self,
    ) -> Result<HashMap<QueueName, FairnessGroups>, StoreError> {
        let groups: Vec<(String, u64)> =
            self.fairness_groups(usize::MAX).await?.into_iter().collect();
        let mut queues: HashMap<QueueName, FairnessGroups> = HashMap::new();
        for some in groups.chunks(STEP) {
            let mut pipe = redis::pipe();
            for (name, _) in some {
                pipe.zcard(self.keys.backlog(name));
            }
            let behind: Vec<u64> = pipe.query_async(&mut self.connection.clone()).await?;
            for ((name, offered), behind) in some.iter().zip(behind) {
                if let Some((queue, group)) = parse(name, *offered, behind) {
                    queues.entry(queue).or_default().add(group);
                }
            }
        }
        queues.values_mut().for_each(FairnessGroups::keep_largest);
        Ok(queues)
    }

    /// The fairness groups that have jobs offered or in their backlog, and how many are offered of
    /// each; a few more than `most` of them at most. A group with a backlog has jobs offered, or
    /// waits for its turn.
    pub(super) async fn fairness_groups(
        &self,
        most: usize,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let offered = self.scan_entries(&self.keys.offered(), "HSCAN", most).await?;
        let mut groups: BTreeMap<String, u64> =
            offered.into_iter().map(|(group, count)| (group, count.parse().unwrap_or(0))).collect();
        for (owner, _) in self.scan_entries(&self.keys.offered_keyed(), "HSCAN", most).await? {
            if groups.len() >= most {
                break;
            }
            for (key, _) in self.scan_entries(&self.keys.turns(&owner), "ZSCAN", most).await? {
                groups.entry(format!("{owner}:{key}")).or_default();
            }
        }
        Ok(groups)
    }

    /// The fields of a hash or the members of a sorted set, each with its value, read in small steps
    /// until there are at least `most`.
    async fn scan_entries(
        &self,
        key: &str,
        scan: &str,
        most: usize,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let (mut cursor, mut entries) = (0_u64, Vec::new());
        loop {
            let mut command = redis::cmd(scan);
            command.arg(key).arg(cursor).arg("COUNT").arg(STEP);
            let (next, found): (u64, Vec<(String, String)>) =
                command.query_async(&mut self.connection.clone()).await?;
            entries.extend(found);
            if next == 0 || entries.len() >= most {
                return Ok(entries);
            }
            cursor = next;
        }
    }
}

impl FairnessGroup {
    /// The part of the `offered` jobs of its queue that belongs to this group: from 0 to 1, with three
    /// decimals, rounded down.
    pub fn share(&self, offered: u64) -> f64 {
        (self.offered * 1000).checked_div(offered).unwrap_or(0) as f64 / 1000.0
    }
}

impl FairnessGroups {
    fn add(&mut self, group: FairnessGroup) {
        self.count += 1;
        self.offered += group.offered;
        self.behind += group.behind;
        self.largest.push(group);
    }

    fn keep_largest(&mut self) {
        // A stable sort: groups of one size stay in the order of their names.
        self.largest.sort_by_key(|group| Reverse(group.offered + group.behind));
        self.largest.truncate(MOST_NAMED);
    }
}

/// Reads the name of a group. That of a queue and that of an owner have no colon.
fn parse(name: &str, offered: u64, behind: u64) -> Option<(QueueName, FairnessGroup)> {
    let mut parts = name.splitn(3, ':');
    let queue = parts.next()?.parse().ok()?;
    let owner = parts.next().filter(|owner| !owner.is_empty()).map(str::to_owned);
    let key = parts.next().map(str::to_owned);
    Some((queue, FairnessGroup { owner, key, offered, behind }))
}
