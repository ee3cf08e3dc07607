//! Queues, and the jobs in each: offered, in a backlog, parked and running. They are counted in
//! small steps, so that Redis is never held up; the counts are not of one moment.

use std::collections::HashMap;

use super::fairness_groups::FairnessGroups;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::{Status, Timestamp};
use domain::lock::LockName;
use domain::queue::QueueName;

/// The jobs in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLoad {
    /// Its name.
    pub name: QueueName,
    /// How many jobs are in the outbox or offered.
    pub offered: u64,
    /// Its fairness groups, with the jobs that could run and are in their backlogs.
    pub groups: FairnessGroups,
    /// How many jobs wait for a lock.
    pub parked: u64,
    /// How many jobs run.
    pub running: u64,
    /// When the one that was offered first was offered.
    pub oldest: Option<Timestamp>,
    /// Its class is paused: none of its jobs starts.
    pub paused: bool,
}

/// A queue that has jobs to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyQueue {
    /// Its name.
    pub name: QueueName,
    /// How many jobs are in the outbox or offered.
    pub ready: u64,
    /// When the one that was offered first was offered.
    pub oldest: Option<Timestamp>,
}

/// How many entries one small read asks for.
const STEP: isize = 500;

/// The fields of a record from which the name of its queue is made.
const FIELDS: [&str; 4] = ["class", "priority", "action", "actionQueue"];

type Counts = HashMap<QueueName, u64>;

impl Store {
    /// The names of the queues in use, sorted.
    pub async fn queue_names(&self) -> Result<Vec<QueueName>, StoreError> {
        let mut command = redis::cmd("HKEYS");
        command.arg(self.keys.routing());
        let fields: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let names = fields.iter().filter_map(|field| field.strip_prefix("queue:"));
        Ok(parse_sorted(names))
    }

    /// The names of the queues that the broker has, so that they can be consumed; sorted.
    pub async fn declared_queues(&self) -> Result<Vec<QueueName>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys.declared());
        let names: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(parse_sorted(names.iter().map(String::as_str)))
    }

    /// How many jobs of one queue are in the outbox or offered.
    pub async fn ready_count(&self, queue: &QueueName) -> Result<u64, StoreError> {
        let mut command = redis::cmd("ZCARD");
        command.arg(self.keys.ready(queue));
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    /// The queues that have jobs to offer.
    pub async fn ready_queues(&self) -> Result<Vec<ReadyQueue>, StoreError> {
        let names = self.queue_names().await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for name in &names {
            let key = self.keys.ready(name);
            pipe.zcard(&key);
            pipe.cmd("ZRANGE").arg(&key).arg(0).arg(0).arg("WITHSCORES");
        }
        let mut connection = self.connection.clone();
        let values: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
        let mut queues = Vec::new();
        for (name, pair) in names.into_iter().zip(values.chunks(2)) {
            let ready: u64 = redis::from_redis_value_ref(&pair[0]).unwrap_or(0);
            let oldest: Vec<(String, f64)> =
                redis::from_redis_value_ref(&pair[1]).unwrap_or_default();
            let oldest = oldest.first().map(|(_, at)| Timestamp::from_ms(*at as i64));
            queues.extend((ready > 0).then_some(ReadyQueue { name, ready, oldest }));
        }
        Ok(queues)
    }

    /// All queues, sorted, with the jobs in each.
    pub async fn queue_loads(&self) -> Result<Vec<QueueLoad>, StoreError> {
        let names = self.queue_names().await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for name in &names {
            let key = self.keys.ready(name);
            pipe.zcard(&key).zrange_withscores(&key, 0, 0);
            pipe.sismember(self.keys.paused(), LockName::of_class(&name.class).as_str());
            pipe.hget(self.keys.parked(), name.to_string());
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
        let (mut groups, running) = (self.groups_by_queue().await?, self.running_by_queue().await?);
        let mut loads = Vec::with_capacity(names.len());
        for (name, four) in names.into_iter().zip(values.chunks(4)) {
            let oldest: Vec<(String, f64)> = value(&four[1])?;
            let parked: Option<u64> = value(&four[3])?;
            loads.push(QueueLoad {
                offered: value(&four[0])?,
                groups: groups.remove(&name).unwrap_or_default(),
                parked: parked.unwrap_or(0),
                running: running.get(&name).copied().unwrap_or(0),
                oldest: oldest.first().map(|(_, at)| Timestamp::from_ms(*at as i64)),
                paused: value(&four[2])?,
                name,
            });
        }
        Ok(loads)
    }

    /// How many jobs of each queue run, including those that were asked to stop.
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
                    pipe.cmd("HMGET").arg(self.keys.job(id)).arg(&FIELDS);
                }
                let found: Vec<[Option<String>; 4]> = pipe.query_async(&mut connection).await?;
                for [class, priority, action, action_queue] in found {
                    let Some(class) = class else { continue };
                    let priority = priority.as_deref().unwrap_or("normal");
                    let action = action_queue.and(action).map(|action| format!("@{action}"));
                    let name = format!("{class}{}.{priority}", action.unwrap_or_default());
                    if let Ok(queue) = name.parse() {
                        *counts.entry(queue).or_default() += 1;
                    }
                }
            }
        }
        Ok(counts)
    }
}

fn parse_sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<QueueName> {
    let mut names: Vec<QueueName> = names.filter_map(|name| name.parse().ok()).collect();
    names.sort();
    names
}

fn value<T: redis::FromRedisValue>(value: &redis::Value) -> Result<T, StoreError> {
    Ok(redis::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}
