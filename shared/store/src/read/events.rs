//! The stream of changes: what comes, as it comes, and what came after a place in it, as long as it is kept.

use std::collections::HashMap;
use std::time::Duration;

use redis::streams::StreamReadReply;

use super::super::CALL_LIMIT;
use super::super::connection::Connection;
use super::{Store, StoreError, change};
use domain::event::{Event, EventId};

/// What came after a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The changes, oldest first.
    pub changes: Vec<Event>,
    /// Perhaps there were others before them, which are not kept any more.
    pub lost: bool,
}

/// A reader of changes as they come. It has a connection of its own, because its reads block.
pub struct Events {
    reader: Connection,
    key: String,
}

impl Store {
    /// A reader of changes.
    pub fn events(&self) -> Result<Events, StoreError> {
        let limit = CALL_LIMIT + Duration::from_secs(2);
        let reader = Connection::new(self.client.clone(), limit)?;
        Ok(Events { reader, key: self.keys.events() })
    }

    /// The place of the last change that there was; the beginning when there was none.
    pub async fn last_event(&self) -> Result<EventId, StoreError> {
        Ok(self.stream().await?.map(|stream| stream.last).unwrap_or_default())
    }

    /// Changes after a place, at most `count`.
    pub async fn missed(&self, after: EventId, count: u64) -> Result<Missed, StoreError> {
        // In this order: what is trimmed between the two reads counts as lost.
        let changes = self.changes(&after.to_string(), count).await?;
        let lost = match self.stream().await? {
            Some(stream) => stream.last < after || (stream.trimmed && after < stream.first),
            None => after != EventId::default(),
        };
        Ok(Missed { changes, lost })
    }

    /// What is known of the whole stream; `None` when nothing was ever told.
    async fn stream(&self) -> Result<Option<Stream>, StoreError> {
        let mut command = redis::cmd("XINFO");
        command.arg("STREAM").arg(self.keys.events());
        let answer = command.query_async(&mut self.connection.clone()).await;
        let info: HashMap<String, redis::Value> = match answer {
            Ok(info) => info,
            Err(error) if error.to_string().contains("no such key") => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let number = |name: &str| redis::from_redis_value_ref::<u64>(info.get(name)?).ok();
        let last = info.get("last-generated-id");
        let last: String =
            last.and_then(|id| redis::from_redis_value_ref(id).ok()).unwrap_or_default();
        let entry = info.get("first-entry").and_then(|entry| entry.as_sequence()?.first());
        let first: Option<String> = entry.and_then(|id| redis::from_redis_value_ref(id).ok());
        // A Redis before 7.0 does not count; then what is before the first counts as trimmed.
        let trimmed = match (number("entries-added"), number("length")) {
            (Some(added), Some(length)) => added > length,
            _ => true,
        };
        let last = place(&last);
        Ok(Some(Stream { first: first.map_or(last, |id| place(&id)), last, trimmed }))
    }
}

/// The stream of changes as a whole.
struct Stream {
    first: EventId,
    last: EventId,
    trimmed: bool,
}

impl Events {
    /// Changes after a place, at most `count`; waits up to `wait` for the first.
    pub async fn after(
        &mut self,
        place: EventId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, StoreError> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(count).arg("BLOCK").arg(wait.as_millis() as u64);
        command.arg("STREAMS").arg(&self.key).arg(place.to_string());
        let reply: Option<StreamReadReply> = command.query_async(&mut self.reader).await?;
        let streams = reply.map(|reply| reply.keys).unwrap_or_default();
        Ok(streams.into_iter().flat_map(|stream| stream.ids).map(change).collect())
    }
}

fn place(text: &str) -> EventId {
    text.parse().unwrap_or_default()
}
