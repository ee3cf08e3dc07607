//! Waits until enough replicas have a change, so that a failover to one of them does not lose it.

use std::time::Duration;

use redis::RedisResult;

use crate::connection::{CALL_LIMIT, Connection};
use crate::error::StoreError;

/// How long the replicas may take. A healthy one needs a millisecond.
const REPLICAS_LIMIT: Duration = Duration::from_secs(1);

/// How many replicas must have a change, and the connection on which they are waited for.
#[derive(Clone)]
pub(crate) struct Replication {
    connection: Connection,
    replicas: u8,
}

impl Replication {
    /// Returns `None` if no replica must have a change.
    pub(crate) fn new(connection: &Connection, replicas: u8) -> RedisResult<Option<Replication>> {
        if replicas == 0 {
            return Ok(None);
        }
        Ok(Some(Replication { connection: connection.another(CALL_LIMIT)?, replicas }))
    }

    /// Waits until enough replicas have every change that was answered before this call.
    ///
    /// `WAIT` waits for the last write of its own connection. The message before it is that write:
    /// it goes to the replicas after all earlier changes, and it is not written to disk.
    pub(crate) async fn wait(&self, channel: &str) -> Result<(), StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PUBLISH").arg(channel).arg("").ignore();
        pipeline.cmd("WAIT").arg(self.replicas).arg(REPLICAS_LIMIT.as_millis() as u64);
        let (found,): (u64,) = pipeline.query_async(&mut self.connection.clone()).await?;
        if found < u64::from(self.replicas) {
            return Err(StoreError::NotReplicated { wanted: self.replicas, found });
        }
        Ok(())
    }
}
