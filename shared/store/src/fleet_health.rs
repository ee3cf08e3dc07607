//! What all waiting jobs depend on: the services that run, and the memory of Redis. One read.

use crate::error::StoreError;
use crate::memory::MemoryUse;
use crate::service::{Service, running};
use crate::store::Store;
use domain::job::Timestamp;

/// What all waiting jobs depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetHealth {
    /// The time of the store.
    pub now: Timestamp,
    /// The services that run, by kind, the oldest first.
    pub services: Vec<Service>,
    /// The memory of Redis; `None` without permission to read it.
    pub memory: Option<MemoryUse>,
}

pub(crate) type Reply = redis::RedisResult<redis::Value>;

impl Store {
    /// Reads what all waiting jobs depend on.
    pub async fn fleet_health(&self) -> Result<FleetHealth, StoreError> {
        let mut pipe = redis::pipe();
        self.ask_health(&mut pipe);
        pipe.ignore_errors();
        let replies: Vec<Reply> = pipe.query_async(&mut self.connection.clone()).await?;
        FleetHealth::read(&mut replies.into_iter())
    }

    /// Adds the commands whose replies [`FleetHealth::read`] reads.
    pub(crate) fn ask_health(&self, pipe: &mut redis::Pipeline) {
        pipe.cmd("TIME").hgetall(self.keys.services()).cmd("INFO").arg("memory");
    }
}

impl FleetHealth {
    pub(crate) fn read(
        replies: &mut impl Iterator<Item = Reply>,
    ) -> Result<FleetHealth, StoreError> {
        let (seconds, micros): (i64, i64) = next(replies)?;
        let now = Timestamp::from_ms(seconds * 1000 + micros / 1000);
        let services = running(&next(replies)?, now);
        let memory = next(replies).ok().and_then(|info| MemoryUse::read(&info).ok());
        Ok(FleetHealth { now, services, memory })
    }
}

/// Reads the next reply of a pipeline.
pub(crate) fn next<T: redis::FromRedisValue>(
    replies: &mut impl Iterator<Item = Reply>,
) -> Result<T, StoreError> {
    let reply = replies.next().unwrap_or(Ok(redis::Value::Nil))?;
    Ok(redis::from_redis_value(reply).map_err(redis::RedisError::from)?)
}
