//! The stream of events: what comes, as it comes, and what came after a given event, as long as it
//! is kept.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};

use crate::connection::{CALL_LIMIT, Connection};
use crate::error::StoreError;
use crate::packed::unpack;
use crate::store::Store;
use domain::event::{Event, EventId};

/// The events after a given one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// There may have been others before them, which are not kept any more.
    pub lost: bool,
}

/// A reader of events as they come. It has its own connection, because its reads block.
pub struct Events {
    reader: Connection,
    key: String,
    /// Events that were read, because their entry has others, and not returned yet.
    rest: VecDeque<Event>,
    /// The event before them.
    returned: EventId,
}

/// How many entries the first read of a list takes; each further read takes four times as many. An
/// entry has up to 32 events.
const FIRST_ENTRIES: u64 = 32;

/// The stream as a whole.
struct Stream {
    first: EventId,
    last: EventId,
    trimmed: bool,
}

impl Store {
    /// A reader of events as they come.
    pub fn events(&self) -> Result<Events, StoreError> {
        let limit = CALL_LIMIT + Duration::from_secs(2);
        let reader = self.connection.another(limit)?;
        let (key, returned) = (self.keys.events(), EventId::default());
        Ok(Events { reader, key, rest: VecDeque::new(), returned })
    }

    /// The id of the last event; the smallest id when there was none.
    pub async fn last_event(&self) -> Result<EventId, StoreError> {
        Ok(self.stream().await?.map(|stream| stream.last).unwrap_or_default())
    }

    /// Events after the one with this id, at most `count`, and whether some were lost.
    pub async fn events_after(&self, after: EventId, count: u64) -> Result<EventPage, StoreError> {
        // In this order: what is trimmed between the two reads counts as lost.
        let events = self.event_list(&after.to_string(), count).await?;
        let lost = match self.stream().await? {
            Some(stream) => stream.last < after || (stream.trimmed && after < stream.first),
            None => after != EventId::default(),
        };
        Ok(EventPage { events, lost })
    }

    /// Events after the one with this id (the empty text is the beginning), oldest first, at most
    /// `count`.
    pub async fn event_list(&self, after: &str, count: u64) -> Result<Vec<Event>, StoreError> {
        let mut from = if after.is_empty() { "-".to_owned() } else { format!("({after}") };
        let after: Option<EventId> = after.parse().ok();
        let (mut events, mut entries, most) = (Vec::new(), FIRST_ENTRIES, count as usize);
        while events.len() < most {
            let mut command = redis::cmd("XRANGE");
            let wanted = entries.min((most - events.len()) as u64);
            command.arg(self.keys.events()).arg(&from).arg("+").arg("COUNT").arg(wanted);
            let mut connection = self.connection.clone();
            let reply: StreamRangeReply = command.query_async(&mut connection).await?;
            let is_last = (reply.ids.len() as u64) < wanted;
            let Some(last) = reply.ids.last() else { break };
            from = format!("({}", last.id);
            let new = reply.ids.into_iter().flat_map(events_of);
            events.extend(new.filter(|event| after.is_none_or(|after| event.id > after)));
            if is_last {
                break;
            }
            entries *= 4;
        }
        events.truncate(most);
        Ok(events)
    }

    /// The last events, the newest first, at most `count`.
    pub async fn latest_events(&self, count: u64) -> Result<Vec<Event>, StoreError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(self.keys.events()).arg("+").arg("-").arg("COUNT").arg(count);
        let mut connection = self.connection.clone();
        let reply: StreamRangeReply = command.query_async(&mut connection).await?;
        let newest_first = reply.ids.into_iter().flat_map(|entry| {
            let mut events: Vec<Event> = events_of(entry).collect();
            events.reverse();
            events
        });
        Ok(newest_first.take(usize::try_from(count).unwrap_or(usize::MAX)).collect())
    }

    /// What is known of the whole stream; `None` when there was no event yet.
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
        let entry = info.get("first-entry").filter(|entry| **entry != redis::Value::Nil);
        let entries = entry.map(|entry| redis::Value::Array(vec![entry.clone()]));
        let entries = entries.and_then(|entries| redis::from_redis_value(entries).ok());
        let entries: StreamRangeReply = entries.unwrap_or_default();
        let first = entries.ids.into_iter().flat_map(events_of).next().map(|event| event.id);
        // A Redis before 7.0 does not count the entries; what is before the first then counts as
        // trimmed.
        let trimmed = match (number("entries-added"), number("length")) {
            (Some(added), Some(length)) => added > length,
            _ => true,
        };
        let last = event_id(&last);
        Ok(Some(Stream { first: first.unwrap_or(last), last, trimmed }))
    }
}

impl Events {
    /// Events after the one with this id, at most `count`; waits up to `wait` for the first.
    pub async fn after(
        &mut self,
        id: EventId,
        count: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, StoreError> {
        if id != self.returned {
            self.rest.clear();
        }
        if self.rest.is_empty() {
            let mut command = redis::cmd("XREAD");
            command.arg("COUNT").arg(count).arg("BLOCK").arg(wait.as_millis() as u64);
            command.arg("STREAMS").arg(&self.key).arg(id.to_string());
            let reply: Option<StreamReadReply> = command.query_async(&mut self.reader).await?;
            let streams = reply.map(|reply| reply.keys).unwrap_or_default();
            let new = streams.into_iter().flat_map(|stream| stream.ids).flat_map(events_of);
            self.rest.extend(new.filter(|event| event.id > id));
        }
        let some = self.rest.drain(..count.min(self.rest.len())).collect::<Vec<_>>();
        self.returned = some.last().map_or(id, |event| event.id);
        Ok(some)
    }
}

/// The events of an entry, oldest first. Its id is that of the last one, and the others have the
/// ids just below.
pub(crate) fn events_of(entry: StreamId) -> impl Iterator<Item = Event> {
    let fields = entry.map.into_iter();
    let text = |(name, value)| Some((name, redis::from_redis_value(value).ok()?));
    let all = unpack(fields.filter_map(text).collect());
    let (last, count) = (event_id(&entry.id), all.len() as u64);
    all.into_iter().zip(1..).map(move |(fields, number)| {
        let sequence = (last.sequence + number).saturating_sub(count);
        Event { fields, id: EventId { ms: last.ms, sequence } }
    })
}

fn event_id(text: &str) -> EventId {
    text.parse().unwrap_or_default()
}
