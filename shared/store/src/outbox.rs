//! The outbox as the relay sees it: a stream that all schedulers read as one consumer group, so that each
//! entry goes to one of them, and to another when that one dies before it has published it.

use std::time::Duration;

use redis::streams::{StreamAutoClaimReply, StreamId, StreamReadReply};

use super::connection::Connection;
use super::{CALL_LIMIT, Store, StoreError};
use domain::capacity::Class;
use domain::job::{JobId, Timestamp};
use domain::queue::QueueName;

const GROUP: &str = "relay";

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the stream.
    pub place: String,
    /// The job; `None` when the entry cannot be read and is only to be removed.
    pub ready: Option<Ready>,
}

/// A job that is ready, and its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// When it was due.
    pub scheduled_at: Timestamp,
}

/// One relay's hands on the outbox; has a connection of its own, because its reads block.
pub struct Outbox {
    store: Store,
    reader: Connection,
    consumer: String,
}

impl Outbox {
    /// The outbox for a relay with this name.
    pub fn new(store: Store, consumer: String) -> Result<Outbox, StoreError> {
        let limit = CALL_LIMIT + Duration::from_secs(2);
        let reader = Connection::new(store.client.clone(), limit)?;
        Ok(Outbox { store, reader, consumer })
    }

    /// Makes the group of relays if nobody has. Comes before everything else, and again after an error.
    pub async fn make_group(&mut self) -> Result<(), StoreError> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(self.store.keys.outbox()).arg(GROUP).arg(0).arg("MKSTREAM");
        match command.exec_async(&mut self.reader).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            other => Ok(other?),
        }
    }

    /// Entries that no relay has seen, at most `count`; waits up to `wait` for the first.
    pub async fn fresh(&mut self, count: usize, wait: Duration) -> Result<Vec<Entry>, StoreError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        command.arg("BLOCK").arg(wait.as_millis() as u64);
        command.arg("STREAMS").arg(self.store.keys.outbox()).arg(">");
        let reply: Option<StreamReadReply> = command.query_async(&mut self.reader).await?;
        let streams = reply.map(|reply| reply.keys).unwrap_or_default();
        Ok(streams.into_iter().flat_map(|stream| stream.ids).map(entry).collect())
    }

    /// Entries that this relay has seen and not removed, also those whose delivery it never heard of because the
    /// connection was lost.
    pub async fn mine(&mut self, count: usize) -> Result<Vec<Entry>, StoreError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        command.arg("STREAMS").arg(self.store.keys.outbox()).arg("0");
        let reply: Option<StreamReadReply> = command.query_async(&mut self.reader).await?;
        let streams = reply.map(|reply| reply.keys).unwrap_or_default();
        Ok(streams.into_iter().flat_map(|stream| stream.ids).map(entry).collect())
    }

    /// Entries that some relay has seen and not removed for `idle`: it died, or its publish failed.
    pub async fn left_behind(
        &mut self,
        count: usize,
        idle: Duration,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(self.store.keys.outbox()).arg(GROUP).arg(&self.consumer);
        command.arg(idle.as_millis() as u64).arg("0-0").arg("COUNT").arg(count);
        let reply: StreamAutoClaimReply = command.query_async(&mut self.reader).await?;
        Ok(reply.claimed.into_iter().map(entry).collect())
    }

    /// Removes entries that are published.
    pub async fn remove(&self, entries: impl Iterator<Item = &Entry>) -> Result<(), StoreError> {
        let places: Vec<&str> = entries.map(|entry| entry.place.as_str()).collect();
        if places.is_empty() {
            return Ok(());
        }
        let outbox = self.store.keys.outbox();
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("XACK").arg(&outbox).arg(GROUP).arg(&places).ignore();
        pipe.cmd("XDEL").arg(&outbox).arg(&places).ignore();
        let mut connection = self.store.connection.clone();
        Ok(pipe.exec_async(&mut connection).await?)
    }

    /// Forgets relays that have been gone for `idle` and left nothing behind; returns how many.
    pub async fn forget_dead_relays(&mut self, idle: Duration) -> Result<u64, StoreError> {
        let outbox = self.store.keys.outbox();
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(&outbox).arg(GROUP);
        let found: redis::streams::StreamInfoConsumersReply =
            command.query_async(&mut self.reader).await?;
        let mut forgotten = 0;
        for relay in found.consumers {
            let gone = relay.idle as u128 > idle.as_millis() && relay.pending == 0;
            if gone && relay.name != self.consumer {
                let mut command = redis::cmd("XGROUP");
                command.arg("DELCONSUMER").arg(&outbox).arg(GROUP).arg(relay.name);
                command.exec_async(&mut self.reader).await?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }
}

fn entry(item: StreamId) -> Entry {
    let ready = (|| {
        let id = item.get::<String>("job")?.parse().ok()?;
        let class = Class::try_from(item.get::<String>("class")?).ok()?;
        let priority = item.get::<String>("priority")?.parse().ok()?;
        let scheduled_at = Timestamp::from_ms(item.get("scheduledAt")?);
        Some(Ready { id, queue: QueueName { class, priority }, scheduled_at })
    })();
    Entry { place: item.id, ready }
}
