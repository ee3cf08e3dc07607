//! Where all waiting jobs wait: each place with the number of its jobs and the first of them. The
//! counts are exact however many jobs wait; they are not of one moment.

use std::collections::HashMap;

use crate::error::StoreError;
use crate::keys::id_part;
use crate::store::Store;
use domain::job::{JobId, Status};
use domain::lock::LockName;
use domain::queue::QueueName;

/// How many fairness groups, and how many wait queues of locks, are looked at.
const MOST_GROUPS: usize = 2_000;
/// How many waiting jobs are looked at to find those that wait for other jobs or a signal.
const MOST_WALKED: isize = 5_000;
/// How many entries one small read asks for.
const STEP: usize = 500;
/// How many jobs of a place are named.
const MOST_NAMED: isize = 8;

/// Where all waiting jobs wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPlaces {
    /// How many jobs wait.
    pub total: u64,
    /// The places that have a job.
    pub places: Vec<WaitingPlace>,
    /// There are places, or jobs that wait for other jobs or a signal, that were not looked at.
    pub is_cut: bool,
}

/// A place where jobs wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPlace {
    /// The place.
    pub kind: PlaceKind,
    /// How many jobs wait there.
    pub count: u64,
    /// The first of them, at most 8.
    pub first: Vec<JobId>,
}

/// What jobs wait for in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceKind {
    /// Their time.
    Due,
    /// A worker: they are offered through this queue.
    Queue(QueueName),
    /// Other jobs of the fairness groups with a backlog in this queue.
    Backlog(QueueName),
    /// This lock. A job that waits for several is counted for each.
    Lock(LockName),
    /// The jobs that they depend on.
    Dependencies,
    /// Their children.
    Children,
    /// A signal.
    Signal,
}

impl Store {
    /// Where all waiting jobs wait now.
    pub async fn waiting_places(&self) -> Result<WaitingPlaces, StoreError> {
        let mut pipe = redis::pipe();
        pipe.zcard(self.keys.status(Status::Waiting)).zcard(self.keys.due());
        pipe.zrange(self.keys.due(), 0, MOST_NAMED - 1).scard(self.keys.contended());
        pipe.cmd("SRANDMEMBER").arg(self.keys.contended()).arg(MOST_GROUPS);
        pipe.hvals(self.keys.parked());
        type Found = (u64, u64, Vec<String>, usize, Vec<String>, Vec<u64>);
        let (total, due, first, contended, locks, parked): Found =
            pipe.query_async(&mut self.connection.clone()).await?;
        let mut places =
            vec![WaitingPlace { kind: PlaceKind::Due, count: due, first: ids(&first) }];
        places.extend(self.places_of_queues().await?);
        let groups = self.fairness_groups(MOST_GROUPS).await?;
        let groups: Vec<String> = groups.into_keys().collect();
        places.extend(self.places_of_backlogs(&groups).await?);
        let elsewhere: u64 = places.iter().map(|place| place.count).sum();
        let elsewhere = elsewhere + parked.into_iter().sum::<u64>();
        places.extend(self.places_of_locks(locks).await?);
        let (unindexed, rest) = self.unindexed_places(total.saturating_sub(elsewhere)).await?;
        places.extend(unindexed);
        places.retain(|place| place.count > 0);
        let is_cut = groups.len() >= MOST_GROUPS || contended > MOST_GROUPS || rest > 0;
        Ok(WaitingPlaces { total, places, is_cut })
    }

    async fn places_of_queues(&self) -> Result<Vec<WaitingPlace>, StoreError> {
        let queues = self.queue_names().await?;
        let keys = queues.iter().map(|name| self.keys.ready(name)).collect::<Vec<_>>();
        let found = self.first_members(&keys).await?;
        let place =
            |(name, (count, first))| WaitingPlace { kind: PlaceKind::Queue(name), count, first };
        Ok(queues.into_iter().zip(found).map(place).collect())
    }

    /// The backlogs of all fairness groups of a queue are one place.
    async fn places_of_backlogs(&self, groups: &[String]) -> Result<Vec<WaitingPlace>, StoreError> {
        let keys = groups.iter().map(|group| self.keys.backlog(group)).collect::<Vec<_>>();
        let mut places: HashMap<QueueName, WaitingPlace> = HashMap::new();
        for (group, (count, first)) in groups.iter().zip(self.first_members(&keys).await?) {
            // The name of a queue has no colon.
            let Some(Ok(queue)) = group.split(':').next().map(str::parse::<QueueName>) else {
                continue;
            };
            let new = || WaitingPlace {
                kind: PlaceKind::Backlog(queue.clone()),
                count: 0,
                first: Vec::new(),
            };
            let place = places.entry(queue.clone()).or_insert_with(new);
            place.count += count;
            let room = (MOST_NAMED as usize).saturating_sub(place.first.len());
            place.first.extend(first.into_iter().take(room));
        }
        Ok(places.into_values().collect())
    }

    async fn places_of_locks(&self, names: Vec<String>) -> Result<Vec<WaitingPlace>, StoreError> {
        let names: Vec<LockName> =
            names.into_iter().filter_map(|name| LockName::try_from(name).ok()).collect();
        let keys = names.iter().map(|name| self.keys.waiters(name)).collect::<Vec<_>>();
        let found = self.first_members(&keys).await?;
        let place =
            |(name, (count, first))| WaitingPlace { kind: PlaceKind::Lock(name), count, first };
        Ok(names.into_iter().zip(found).map(place).collect())
    }

    /// How many members each of these sorted sets has, and the first of them.
    async fn first_members(&self, keys: &[String]) -> Result<Vec<(u64, Vec<JobId>)>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for some in keys.chunks(STEP) {
            let mut pipe = redis::pipe();
            for key in some {
                pipe.zcard(key).zrange(key, 0, MOST_NAMED - 1);
            }
            let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
            for pair in values.chunks_exact(2) {
                let count = redis::from_redis_value_ref(&pair[0]);
                let members = redis::from_redis_value_ref::<Vec<String>>(&pair[1]);
                let parsed = count.and_then(|count| Ok((count, ids(&members?))));
                found.push(parsed.map_err(redis::RedisError::from)?);
            }
        }
        Ok(found)
    }

    /// The jobs that wait for other jobs or a signal, which no index has: `open` of all that wait.
    /// Returns how many of them were not found.
    async fn unindexed_places(&self, open: u64) -> Result<(Vec<WaitingPlace>, u64), StoreError> {
        let new = |kind| WaitingPlace { kind, count: 0, first: Vec::new() };
        let kinds = [PlaceKind::Dependencies, PlaceKind::Children, PlaceKind::Signal];
        let mut places = kinds.map(new);
        let (mut found, mut at) = (0, 0);
        while found < open && at < MOST_WALKED {
            let (mut connection, _turn) = self.walking().await;
            let mut command = redis::cmd("ZRANGE");
            command.arg(self.keys.status(Status::Waiting)).arg(at).arg(at + STEP as isize - 1);
            let names: Vec<String> = command.query_async(&mut connection).await?;
            if names.is_empty() {
                return Ok((places.into(), 0));
            }
            at += names.len() as isize;
            let ids = ids(&names);
            // An empty pipeline would never be answered.
            if ids.is_empty() {
                continue;
            }
            let mut pipe = redis::pipe();
            for id in &ids {
                pipe.cmd("HMGET").arg(self.keys.job(*id)).arg(&[
                    "blockers",
                    "awaitsChildren",
                    "awaitedSignal",
                ]);
            }
            let fields: Vec<[Option<String>; 3]> = pipe.query_async(&mut connection).await?;
            for (id, fields) in ids.into_iter().zip(fields) {
                let Some(place) = fields.iter().position(Option::is_some) else { continue };
                let place = &mut places[place];
                place.count += 1;
                found += 1;
                if place.first.len() < MOST_NAMED as usize {
                    place.first.push(id);
                }
            }
        }
        Ok((places.into(), open.saturating_sub(found)))
    }
}

fn ids(members: &[String]) -> Vec<JobId> {
    members.iter().filter_map(|member| id_part(member).parse().ok()).collect()
}
