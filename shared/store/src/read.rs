//! Plain reads: one job, its log, its changes. They change nothing and take no part in any decision.

mod events;
mod glance;
mod list;
mod merge;
mod queues;
mod record;
mod relations;
mod rows;
mod tails;
mod workers;

use std::time::Duration;

use redis::streams::{StreamId, StreamRangeReply};

pub use events::{Events, Missed};
pub use glance::Place;
pub use list::{Filter, JobPage};
pub use queues::QueueLoad;
pub use relations::{Related, Relative};
pub use rows::{Index, Needs, Row, Rows};
pub(super) use workers::LISTED;
pub use workers::{Queue, Worker, WorkerStatus};

use super::{Store, StoreError};
use domain::event::Event;
use domain::job::{Job, JobId, Timestamp};

/// One line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Where it comes from: `stdout`, `stderr`, or `capstan`.
    pub source: String,
    /// Its text, without the end of line.
    pub text: String,
}

impl Store {
    /// One job; `None` when there is no such.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.jobs_by_id(&[id]).await?.pop())
    }

    /// Jobs by id, in the order asked; those that are not there are left out.
    pub async fn jobs_by_id(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.hgetall(self.keys.job(*id));
        }
        let mut connection = self.connection.clone();
        let values: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
        let mut jobs = Vec::with_capacity(ids.len());
        for (id, hash) in ids.iter().zip(&values) {
            jobs.extend(record::job(*id, hash)?);
        }
        Ok(jobs)
    }

    /// Lines of a job's log from number `offset` on, at most `limit`.
    pub async fn log_lines(
        &self,
        id: JobId,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys.log(id)).arg(offset.saturating_add(1)).arg("+");
        command.arg("COUNT").arg(limit.min(i64::MAX as u64));
        let mut connection = self.connection.clone();
        let reply: StreamRangeReply = command.query_async(&mut connection).await?;
        Ok(reply.ids.iter().map(log_line).collect())
    }

    /// Changes after `place` (the empty text is the beginning), oldest first, at most `count`.
    pub async fn changes(&self, place: &str, count: u64) -> Result<Vec<Event>, StoreError> {
        let from = if place.is_empty() { "-".to_owned() } else { format!("({place}") };
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys.events()).arg(from).arg("+").arg("COUNT").arg(count);
        let mut connection = self.connection.clone();
        let reply: StreamRangeReply = command.query_async(&mut connection).await?;
        Ok(reply.ids.into_iter().map(change).collect())
    }

    /// Bytes that Redis has allocated, all namespaces together. For benches.
    pub async fn used_memory_bytes(&self) -> Result<u64, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("INFO");
        let info: redis::InfoDict = command.arg("memory").query_async(&mut connection).await?;
        info.get("used_memory").ok_or_else(|| StoreError::Record {
            key: "INFO memory".to_owned(),
            why: "it has no used_memory".to_owned(),
        })
    }

    /// The processor time that Redis has used, all namespaces together. For benches.
    pub async fn processor_time(&self) -> Result<Duration, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("INFO");
        let info: redis::InfoDict = command.arg("cpu").query_async(&mut connection).await?;
        let seconds = |name: &str| info.get::<f64>(name).unwrap_or_default();
        Ok(Duration::from_secs_f64(seconds("used_cpu_user") + seconds("used_cpu_sys")))
    }
}

fn log_line(entry: &StreamId) -> LogLine {
    let place = entry.id.split('-').next().and_then(|place| place.parse::<u64>().ok());
    LogLine {
        number: place.unwrap_or(1).saturating_sub(1),
        at: Timestamp::from_ms(entry.get("at").unwrap_or(0)),
        source: entry.get("source").unwrap_or_default(),
        text: entry.get("text").unwrap_or_default(),
    }
}

fn change(entry: StreamId) -> Event {
    let fields = entry.map.into_iter();
    let fields =
        fields.filter_map(|(name, value)| Some((name, redis::from_redis_value(value).ok()?)));
    Event { fields: fields.collect(), id: entry.id.parse().unwrap_or_default() }
}
