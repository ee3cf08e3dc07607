//! Workers as operators see them.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::StoreError;
use crate::store::Store;
use domain::capacity::CapacityMap;
use domain::job::{JobId, Timestamp, WorkerId};

/// The status of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerStatus {
    /// It sends heartbeats.
    Running,
    /// It sends heartbeats and claims nothing, because an operator has drained it.
    Draining,
    /// Its lease has ended.
    Dead,
    /// It has left.
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
    /// Its status.
    pub status: WorkerStatus,
    /// A name for people.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The capacity it offers.
    pub capacity_map: CapacityMap,
    /// How much of that was free at its last heartbeat.
    pub free: CapacityMap,
    /// The actions it knows.
    pub actions: Vec<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When its lease ends.
    pub heartbeat_expiration: Timestamp,
    /// The jobs it runs.
    pub jobs: Vec<JobId>,
}

impl Worker {
    /// True while it sends heartbeats.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.status, WorkerStatus::Running | WorkerStatus::Draining)
    }
}

/// How long a worker that is gone stays listed.
pub(crate) const LISTED: Duration = Duration::from_secs(24 * 3600);

/// How long ago, and how many of them, [`Store::dead_workers`] reads.
const DEAD_MS: i64 = 10 * 60_000;
const MOST_DEAD: usize = 20;

/// How many workers one round trip reads.
const STEP: usize = 500;

type Fields = HashMap<String, String>;

impl Store {
    /// Every worker that is alive, or was within a day; the one with the latest heartbeat first.
    pub async fn workers(&self) -> Result<Vec<Worker>, StoreError> {
        let since = self.now().await?.ms() - LISTED.as_millis() as i64;
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.workers()).arg("+inf").arg(since).arg("BYSCORE").arg("REV");
        self.workers_named(command.query_async(&mut self.connection.clone()).await?).await
    }

    /// Every worker that is alive. However many died, it reads only those that have a lease.
    pub async fn live_workers(&self) -> Result<Vec<Worker>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.leases()).arg(0).arg(-1);
        let ids = command.query_async(&mut self.connection.clone()).await?;
        let mut workers = self.workers_named(ids).await?;
        workers.retain(Worker::is_live);
        Ok(workers)
    }

    /// How many workers have a lease.
    pub async fn live_worker_count(&self) -> Result<usize, StoreError> {
        let mut command = redis::cmd("ZCARD");
        command.arg(self.keys.leases());
        Ok(command.query_async(&mut self.connection.clone()).await?)
    }

    /// The workers whose lease ended in the last 10 minutes, the last one first, at most 20.
    pub async fn dead_workers(&self) -> Result<Vec<Worker>, StoreError> {
        let now = self.now().await?.ms();
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.workers()).arg(now).arg(now - DEAD_MS).arg("BYSCORE").arg("REV");
        command.arg("LIMIT").arg(0).arg(MOST_DEAD);
        let ids = command.query_async(&mut self.connection.clone()).await?;
        let mut workers = self.workers_named(ids).await?;
        workers.retain(|worker| worker.status == WorkerStatus::Dead);
        Ok(workers)
    }

    /// One worker; `None` when it does not exist.
    pub async fn worker(&self, id: &WorkerId) -> Result<Option<Worker>, StoreError> {
        Ok(self.workers_by_id(std::slice::from_ref(id)).await?.pop())
    }

    async fn workers_named(&self, names: Vec<String>) -> Result<Vec<Worker>, StoreError> {
        let ids = names.into_iter().filter_map(|id| WorkerId::try_from(id).ok());
        self.workers_by_id(&ids.collect::<Vec<_>>()).await
    }

    /// Workers in the order asked; those that do not exist are left out.
    async fn workers_by_id(&self, ids: &[WorkerId]) -> Result<Vec<Worker>, StoreError> {
        let mut workers = Vec::with_capacity(ids.len());
        for some in ids.chunks(STEP) {
            let mut pipe = redis::pipe();
            for id in some {
                pipe.hgetall(self.keys.worker(id)).smembers(self.keys.running(id));
            }
            let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
            for (id, pair) in some.iter().zip(values.chunks_exact(2)) {
                let fields: Fields = parsed(&pair[0])?;
                if !fields.is_empty() {
                    workers.push(self.worker_of(id, &fields, &parsed::<Vec<String>>(&pair[1])?)?);
                }
            }
        }
        Ok(workers)
    }

    fn worker_of(
        &self,
        id: &WorkerId,
        fields: &Fields,
        jobs: &[String],
    ) -> Result<Worker, StoreError> {
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
                let why = format!("status is {other:?}");
                return Err(StoreError::unreadable(self.keys.worker(id), why));
            }
        };
        let actions = text("actions");
        Ok(Worker {
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
        })
    }
}

fn parsed<T: redis::FromRedisValue>(value: &redis::Value) -> Result<T, StoreError> {
    Ok(redis::from_redis_value_ref(value).map_err(redis::RedisError::from)?)
}
