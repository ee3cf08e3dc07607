//! Workers and queues as operators see them.

use std::collections::HashMap;
use std::time::Duration;

use super::{Store, StoreError};
use domain::capacity::CapacityMap;
use domain::job::{JobId, Status, Timestamp, WorkerId};
use domain::queue::QueueName;

/// What a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerStatus {
    /// It beats.
    Running,
    /// It beats, and claims nothing, because somebody asked for that.
    Draining,
    /// Its lease ended.
    Dead,
    /// It left.
    Shutdown,
}

impl WorkerStatus {
    /// The word, the same in Redis and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WorkerStatus::Running => "running",
            WorkerStatus::Draining => "draining",
            WorkerStatus::Dead => "dead",
            WorkerStatus::Shutdown => "shutdown",
        }
    }
}

/// A worker's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its identity.
    pub id: WorkerId,
    /// What it is.
    pub status: WorkerStatus,
    /// A name for people.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// What it offers.
    pub capacity_map: CapacityMap,
    /// What of that was free at its last beat.
    pub free: CapacityMap,
    /// The actions it knows.
    pub actions: Vec<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// Until when its jobs are its own.
    pub heartbeat_expiration: Timestamp,
    /// The jobs it runs.
    pub jobs: Vec<JobId>,
}

/// One queue that has jobs to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Jobs that are in the outbox or offered.
    pub ready: u64,
    /// When the one that has been offered longest was offered.
    pub oldest: Option<Timestamp>,
}

/// A worker that is gone stays listed for so long.
pub(crate) const LISTED: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Every worker that lives, or was there within a day; the last to beat first.
    pub async fn workers(&self) -> Result<Vec<Worker>, StoreError> {
        let mut connection = self.connection.clone();
        let since = self.now_ms().await? - LISTED.as_millis() as i64;
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.workers()).arg("+inf").arg(since).arg("BYSCORE").arg("REV");
        let ids: Vec<String> = command.query_async(&mut connection).await?;
        let mut workers = Vec::with_capacity(ids.len());
        for id in ids.into_iter().filter_map(|id| WorkerId::try_from(id).ok()) {
            workers.extend(self.worker(&id).await?);
        }
        Ok(workers)
    }

    /// One worker; `None` when there is no such.
    pub async fn worker(&self, id: &WorkerId) -> Result<Option<Worker>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.hgetall(self.keys.worker(id.as_str())).smembers(self.keys.held(id));
        let mut connection = self.connection.clone();
        let (fields, jobs): (HashMap<String, String>, Vec<String>) =
            pipe.query_async(&mut connection).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let time = |name: &str| Timestamp::from_ms(text(name).parse().unwrap_or(0));
        let map = |name: &str| serde_json::from_str(&text(name)).unwrap_or_default();
        let mut jobs: Vec<JobId> = jobs.iter().filter_map(|id| id.parse().ok()).collect();
        jobs.sort();
        let status = match text("status").as_str() {
            "running" if !text("drain").is_empty() => WorkerStatus::Draining,
            "running" => WorkerStatus::Running,
            "shutdown" => WorkerStatus::Shutdown,
            "dead" => WorkerStatus::Dead,
            other => {
                let key = self.keys.worker(id.as_str());
                return Err(StoreError::Record { key, why: format!("status is {other:?}") });
            }
        };
        let actions = text("actions");
        Ok(Some(Worker {
            id: id.clone(),
            status,
            name: text("name"),
            version: text("version"),
            capacity_map: map("capacityMap"),
            free: map("free"),
            actions: actions.split(',').filter(|name| !name.is_empty()).map(Into::into).collect(),
            started_at: time("startedAt"),
            heartbeat_expiration: time("heartbeatExpiration"),
            jobs,
        }))
    }

    /// The queues that jobs go through, sorted.
    pub async fn queue_names(&self) -> Result<Vec<QueueName>, StoreError> {
        self.queues_in(self.keys.queues()).await
    }

    /// Those of them that the broker has, so that they can be consumed; sorted.
    pub async fn declared_queues(&self) -> Result<Vec<QueueName>, StoreError> {
        self.queues_in(self.keys.declared()).await
    }

    async fn queues_in(&self, key: String) -> Result<Vec<QueueName>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(key);
        let names: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let mut names: Vec<QueueName> =
            names.into_iter().filter_map(|name| name.parse().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// How many jobs of one queue are in the outbox or offered.
    pub async fn ready_count(&self, queue: &QueueName) -> Result<u64, StoreError> {
        let mut command = redis::cmd("ZCARD");
        command.arg(self.keys.ready(queue));
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    /// Every queue that has jobs to offer, and how many.
    pub async fn queues(&self) -> Result<Vec<Queue>, StoreError> {
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
            queues.extend((ready > 0).then_some(Queue { name, ready, oldest }));
        }
        Ok(queues)
    }

    /// How many jobs are waiting, running, ended, …: one number for each status, by the indexes.
    pub async fn counts(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        let mut pipe = redis::pipe();
        for status in Status::ALL {
            pipe.zcard(self.keys.status(status));
        }
        let mut connection = self.connection.clone();
        let counts: Vec<u64> = pipe.query_async(&mut connection).await?;
        Ok(Status::ALL.into_iter().zip(counts).collect())
    }
}
