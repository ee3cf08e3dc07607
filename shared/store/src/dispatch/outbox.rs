//! The outbox as the relay reads it: a stream that all schedulers read as one consumer group, so
//! that each entry goes to one of them, and to another when that one dies before it has published
//! it.

use std::time::Duration;

use redis::streams::{StreamAutoClaimReply, StreamId, StreamReadReply};

use crate::connection::{CALL_LIMIT, Connection};
use crate::error::StoreError;
use crate::packed::{Fields, unpack};
use crate::script::Script;
use crate::store::Store;
use domain::job::{JobId, Timestamp};
use domain::queue::QueueName;

static REMOVE_ENTRIES: Script = Script::new("remove_entries", include_str!("remove_entries.lua"));

const GROUP: &str = "relay";

/// How many entries one call removes: a script has room for some thousand arguments.
const MOST_PER_CALL: usize = 1_000;

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its id in the stream.
    pub id: String,
    /// The jobs, all of one queue, in order. One that cannot be read is left out; if none can
    /// be read, the entry only needs to be removed.
    pub jobs: Vec<ReadyJob>,
}

impl OutboxEntry {
    /// The queue of the jobs.
    #[must_use]
    pub fn queue(&self) -> Option<&QueueName> {
        self.jobs.first().map(|job| &job.queue)
    }
}

/// A job that is ready, and its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyJob {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// Its queue.
    pub queue: QueueName,
    /// When it was due.
    pub scheduled_at: Timestamp,
}

/// The outbox for one relay. It has its own connection, because its reads block.
pub struct Outbox {
    store: Store,
    reader: Connection,
    consumer: String,
}

impl Outbox {
    /// The outbox for a relay with this name.
    pub fn new(store: Store, consumer: String) -> Result<Outbox, StoreError> {
        let limit = CALL_LIMIT + Duration::from_secs(2);
        let reader = store.connection.another(limit)?;
        Ok(Outbox { store, reader, consumer })
    }

    /// Creates the consumer group unless it exists. Call it first, and again after an error.
    pub async fn create_group(&mut self) -> Result<(), StoreError> {
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(self.store.keys.outbox()).arg(GROUP).arg(0).arg("MKSTREAM");
        match command.exec_async(&mut self.reader).await {
            // A Redis that is full does not even say that the group exists. If it does not, the
            // first read fails.
            Err(error) if matches!(error.code(), Some("BUSYGROUP" | "OOM")) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Entries that no relay has read, at most `count`; waits up to `wait` for the first.
    pub async fn read_new(
        &mut self,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        command.arg("BLOCK").arg(wait.as_millis() as u64);
        command.arg("STREAMS").arg(self.store.keys.outbox()).arg(">");
        self.read(&command).await
    }

    /// Entries that this relay has read and not removed, including those that were lost with a
    /// connection before they arrived.
    pub async fn read_own(&mut self, count: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        command.arg("STREAMS").arg(self.store.keys.outbox()).arg("0");
        self.read(&command).await
    }

    async fn read(&mut self, command: &redis::Cmd) -> Result<Vec<OutboxEntry>, StoreError> {
        let reply: Option<StreamReadReply> = command.query_async(&mut self.reader).await?;
        let streams = reply.map(|reply| reply.keys).unwrap_or_default();
        Ok(streams.into_iter().flat_map(|stream| stream.ids).map(entry).collect())
    }

    /// Takes over entries that some relay has read and not removed for `idle`: it died, or its
    /// publish failed.
    pub async fn take_over(
        &mut self,
        count: usize,
        idle: Duration,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(self.store.keys.outbox()).arg(GROUP).arg(&self.consumer);
        command.arg(idle.as_millis() as u64).arg("0-0").arg("COUNT").arg(count);
        let reply: StreamAutoClaimReply = command.query_async(&mut self.reader).await?;
        Ok(reply.claimed.into_iter().map(entry).collect())
    }

    /// Removes the entries with these ids, which are published.
    pub async fn remove(&self, ids: &[String]) -> Result<(), StoreError> {
        for some in ids.chunks(MOST_PER_CALL) {
            let answer = self.store.call(&REMOVE_ENTRIES, |call| {
                call.arg(GROUP).arg(some);
            });
            answer.await?.decode(|words| (words == ["removed"]).then_some(()))?;
        }
        Ok(())
    }

    /// Removes relays from the group that have been idle for `idle` and have no entries; returns
    /// how many.
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

fn entry(item: StreamId) -> OutboxEntry {
    let fields = item.map.into_iter();
    let text = |(name, value)| Some((name, redis::from_redis_value(value).ok()?));
    let jobs = unpack(fields.filter_map(text).collect());
    OutboxEntry { id: item.id, jobs: jobs.iter().filter_map(ready_job).collect() }
}

fn ready_job(fields: &Fields) -> Option<ReadyJob> {
    Some(ReadyJob {
        id: fields.get("job")?.parse().ok()?,
        number: fields.get("number")?.parse().ok()?,
        queue: fields.get("queue")?.parse().ok()?,
        scheduled_at: Timestamp::from_ms(fields.get("scheduledAt")?.parse().ok()?),
    })
}
