//! Queues as operators see them: what is offered, held back, parked and running in each. All of it is counted in
//! small steps, so that Redis is never held up, and so is not of one moment.

use std::collections::{BTreeSet, HashMap};

use super::{Store, StoreError};
use domain::job::{Status, Timestamp};
use domain::lock::LockName;
use domain::queue::QueueName;

/// What there is in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLoad {
    /// Its name.
    pub name: QueueName,
    /// Jobs that are in the outbox or offered.
    pub offered: u64,
    /// Jobs that could run, and are held back until others of their share have gone.
    pub behind: u64,
    /// Jobs that stand in line for a lock.
    pub parked: u64,
    /// Jobs that run.
    pub running: u64,
    /// When the one that has been offered longest was offered.
    pub oldest: Option<Timestamp>,
    /// Its class is paused: nothing of it is started.
    pub paused: bool,
}

/// How many of something one small read asks for.
const STEP: isize = 500;

type Counts = HashMap<QueueName, u64>;

impl Store {
    /// Every queue that jobs go through, sorted, with what there is in it.
    pub async fn queue_loads(&self) -> Result<Vec<QueueLoad>, StoreError> {
        let names = self.queue_names().await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for name in &names {
            let key = self.keys.ready(name);
            pipe.zcard(&key).zrange_withscores(&key, 0, 0);
            pipe.sismember(self.keys.all("paused"), LockName::of_class(&name.class).as_str());
            pipe.hget(self.keys.all("parked"), name.to_string());
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
        let (behind, running) = (self.backlogs().await?, self.running_by_queue().await?);
        let mut loads = Vec::with_capacity(names.len());
        for (name, four) in names.into_iter().zip(values.chunks(4)) {
            let oldest: Vec<(String, f64)> = value(&four[1])?;
            let parked: Option<u64> = value(&four[3])?;
            loads.push(QueueLoad {
                offered: value(&four[0])?,
                behind: behind.get(&name).copied().unwrap_or(0),
                parked: parked.unwrap_or(0),
                running: running.get(&name).copied().unwrap_or(0),
                oldest: oldest.first().map(|(_, at)| Timestamp::from_ms(*at as i64)),
                paused: value(&four[2])?,
                name,
            });
        }
        Ok(loads)
    }

    /// How many jobs of each queue are held back: the sums over its shares.
    async fn backlogs(&self) -> Result<Counts, StoreError> {
        let mut connection = self.connection.clone();
        let (mut cursor, mut shares) = (0_u64, BTreeSet::new());
        loop {
            let mut command = redis::cmd("HSCAN");
            command.arg(self.keys.all("offered")).arg(cursor).arg("COUNT").arg(STEP);
            let (next, found): (u64, Vec<(String, String)>) =
                command.query_async(&mut connection).await?;
            shares.extend(found.into_iter().map(|(share, _)| share));
            if next == 0 {
                break;
            }
            cursor = next;
        }
        let shares: Vec<String> = shares.into_iter().collect();
        let mut counts = Counts::new();
        for some in shares.chunks(STEP as usize) {
            let mut pipe = redis::pipe();
            for share in some {
                pipe.zcard(self.keys.backlog(share));
            }
            let behind: Vec<u64> = pipe.query_async(&mut connection).await?;
            for (share, behind) in some.iter().zip(behind) {
                // No queue has a colon in its name.
                let queue = share.split(':').next().and_then(|queue| queue.parse().ok());
                if let Some(queue) = queue {
                    *counts.entry(queue).or_default() += behind;
                }
            }
        }
        Ok(counts)
    }

    /// How many jobs of each queue run, those that have been asked to stop among them.
    async fn running_by_queue(&self) -> Result<Counts, StoreError> {
        let mut connection = self.connection.clone();
        let mut counts = Counts::new();
        for status in [Status::Running, Status::CancelRequest] {
            let mut at = 0;
            loop {
                let mut command = redis::cmd("ZRANGE");
                command.arg(self.keys.status(status)).arg(at).arg(at + STEP - 1);
                let ids: Vec<String> = command.query_async(&mut connection).await?;
                if ids.is_empty() {
                    break;
                }
                at += ids.len() as isize;
                let mut pipe = redis::pipe();
                for id in ids.iter().filter_map(|id| id.parse().ok()) {
                    pipe.cmd("HMGET").arg(self.keys.job(id)).arg(&["class", "priority"]);
                }
                let found: Vec<[Option<String>; 2]> = pipe.query_async(&mut connection).await?;
                for [class, priority] in found {
                    let Some(class) = class else { continue };
                    let priority = priority.as_deref().unwrap_or("normal");
                    if let Ok(queue) = format!("{class}.{priority}").parse() {
                        *counts.entry(queue).or_default() += 1;
                    }
                }
            }
        }
        Ok(counts)
    }
}

fn value<T: redis::FromRedisValue>(value: &redis::Value) -> Result<T, StoreError> {
    Ok(redis::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}
