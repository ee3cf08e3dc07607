//! Reads the audit log: its streams, backwards and merged by time.

use std::collections::VecDeque;

use redis::streams::{StreamId, StreamRangeReply};

use super::{AuditFilter, AuditRecord, AuditedChange};
use crate::error::StoreError;
use crate::store::Store;
use domain::event::EventId;
use domain::job::Timestamp;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// A stream, read backwards.
struct Backwards<'a> {
    store: &'a Store,
    key: String,
    first: String,
    /// The end of the next page; `None` after the last page.
    last: Option<String>,
    page: VecDeque<StreamId>,
}

impl Store {
    /// The entries that match, newest first, from the `start`-th on, at most `limit`; and how many
    /// match in all.
    pub async fn audit_records(
        &self,
        filter: &AuditFilter,
        start: usize,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, usize), StoreError> {
        let kinds = [false, true].into_iter();
        let kinds = kinds.filter(|kind| filter.refused.is_none_or(|refused| refused == *kind));
        let keys: Vec<String> = kinds.map(|kind| self.audit_key(kind)).collect();
        let first = filter.since.map_or_else(|| "-".to_owned(), |since| since.ms().to_string());
        let has_to_count = filter.who.is_some() || filter.since.is_some();
        let length = if has_to_count { None } else { Some(self.lengths(&keys).await?) };
        let mut streams: Vec<_> =
            keys.into_iter().map(|key| Backwards::new(self, key, first.clone())).collect();
        let (mut found, mut total) = (Vec::new(), 0);
        while length.is_none() || found.len() < limit {
            let Some(entry) = newest(&mut streams).await? else { break };
            let entry = audit_record(entry);
            if filter.who.as_ref().is_some_and(|who| *who != entry.change.who) {
                continue;
            }
            if total >= start && found.len() < limit {
                found.push(entry);
            }
            total += 1;
        }
        Ok((found, length.unwrap_or(total)))
    }

    /// How many entries these streams have together.
    async fn lengths(&self, keys: &[String]) -> Result<usize, StoreError> {
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.cmd("XLEN").arg(key);
        }
        let lengths: Vec<usize> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(lengths.into_iter().sum())
    }
}

impl<'a> Backwards<'a> {
    fn new(store: &'a Store, key: String, first: String) -> Backwards<'a> {
        Backwards { store, key, first, last: Some("+".to_owned()), page: VecDeque::new() }
    }

    /// The id of the next entry.
    async fn peek(&mut self) -> Result<Option<EventId>, StoreError> {
        if self.page.is_empty()
            && let Some(last) = &self.last
        {
            let mut command = redis::cmd("XREVRANGE");
            command.arg(&self.key).arg(last).arg(&self.first).arg("COUNT").arg(PAGE);
            let mut connection = self.store.connection.clone();
            let page: StreamRangeReply = command.query_async(&mut connection).await?;
            self.last = page.ids.last().map(|end| format!("({}", end.id));
            self.page = page.ids.into();
        }
        Ok(self.page.front().and_then(|entry| entry.id.parse().ok()))
    }
}

/// Takes the newest entry of all streams.
async fn newest(streams: &mut [Backwards<'_>]) -> Result<Option<StreamId>, StoreError> {
    let mut newest: Option<(EventId, usize)> = None;
    for (index, stream) in streams.iter_mut().enumerate() {
        let next = stream.peek().await?.map(|id| (id, index));
        newest = newest.max(next);
    }
    Ok(newest.and_then(|(_, index)| streams[index].page.pop_front()))
}

/// Reads an entry. What cannot be read is left empty: an old entry must not hide the others.
fn audit_record(entry: StreamId) -> AuditRecord {
    let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
    let ms = entry.id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or_default();
    let change = AuditedChange {
        who: text("who"),
        role: text("role"),
        from: text("from"),
        method: text("method"),
        path: text("path"),
        query: text("query"),
        status: entry.get("status").unwrap_or_default(),
        subject: text("subject"),
    };
    AuditRecord { at: Timestamp::from_ms(ms), change, id: entry.id }
}
