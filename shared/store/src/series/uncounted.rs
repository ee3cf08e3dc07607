//! The events that are not counted yet, and what the records of failed jobs say.

use crate::error::StoreError;
use crate::store::Store;
use domain::event::{Event, EventId};
use domain::failure::FailureKind;
use domain::job::{Exception, JobId};

/// How many records one round trip reads: an exception may be long.
const READ_AT_ONCE: usize = 100;

/// The events that are not counted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncountedEvents {
    /// The last event that was counted; `None` before the first.
    pub cursor: Option<EventId>,
    /// The events after the cursor, oldest first.
    pub events: Vec<Event>,
    /// Some events after the cursor were trimmed: they are never counted.
    pub lost: bool,
    /// The cursor to go on from: the last of these events; if none is kept, the last of all.
    pub last: EventId,
}

impl Store {
    /// The events to count, at most `count`.
    pub async fn uncounted_events(&self, count: u64) -> Result<UncountedEvents, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.series_cursor());
        let cursor: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let cursor = cursor.and_then(|cursor| cursor.parse().ok());
        let from = cursor.unwrap_or_default();
        let page = self.events_after(from, count).await?;
        let lost = page.lost && cursor.is_some();
        let last = match page.events.last() {
            Some(event) => event.id,
            None if lost => self.last_event().await?,
            None => from,
        };
        Ok(UncountedEvents { cursor, events: page.events, lost, last })
    }

    /// What these jobs failed with; `None` for one that is gone or cannot be read.
    pub async fn failure_kinds(
        &self,
        ids: &[JobId],
    ) -> Result<Vec<Option<FailureKind>>, StoreError> {
        let mut kinds = Vec::with_capacity(ids.len());
        for ids in ids.chunks(READ_AT_ONCE) {
            let (mut connection, _turn) = self.walking().await;
            let mut pipe = redis::pipe();
            for id in ids {
                pipe.cmd("HMGET").arg(self.keys.job(*id)).arg(&["action", "exception"]);
            }
            let records: Vec<(Option<String>, Option<String>)> =
                pipe.query_async(&mut connection).await?;
            kinds.extend(records.into_iter().map(|(action, exception)| {
                let exception: Option<Exception> =
                    exception.map(|text| serde_json::from_str(&text)).transpose().ok()?;
                Some(FailureKind::of(&action?.parse().ok()?, exception.as_ref()))
            }));
        }
        Ok(kinds)
    }
}
