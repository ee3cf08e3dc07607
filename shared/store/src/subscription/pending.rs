//! The events that subscriptions have not been sent yet. The scheduler decides which subscription
//! gets which.

use super::read::Subscription;
use crate::error::StoreError;
use crate::store::Store;
use domain::event::{Event, EventId};
use domain::subscription::SubscriptionName;

/// The events that subscriptions have not been sent yet.
#[derive(Debug)]
pub struct PendingEvents {
    /// The last event that was read for subscriptions.
    pub cursor: EventId,
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// Why others cannot be read: they must not keep these from being served.
    pub unreadable: Vec<String>,
    /// The events after the cursor, oldest first.
    pub events: Vec<Event>,
    /// When some events after the cursor were trimmed: the first that is still kept, or the last of
    /// all when none is.
    pub kept: Option<EventId>,
}

impl Store {
    /// The events to send to subscriptions, at most `count`; `None` when there are no
    /// subscriptions.
    pub async fn pending_events(&self, count: u64) -> Result<Option<PendingEvents>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.smembers(self.keys.subscriptions()).get(self.keys.subscription_cursor());
        let (names, cursor): (Vec<String>, Option<String>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let Some(cursor) = cursor.and_then(|cursor| cursor.parse::<EventId>().ok()) else {
            return Ok(None);
        };
        let page = self.events_after(cursor, count).await?;
        let kept = match page.events.first() {
            _ if !page.lost => None,
            Some(first) => Some(first.id),
            None => Some(self.last_event().await?),
        };
        let mut pending = PendingEvents {
            cursor,
            subscriptions: Vec::new(),
            unreadable: Vec::new(),
            events: page.events,
            kept,
        };
        if pending.events.is_empty() && pending.kept.is_none() {
            return Ok(Some(pending));
        }
        let names: Vec<SubscriptionName> =
            names.iter().filter_map(|name| name.parse().ok()).collect();
        for one in self.subscriptions_by_name(&names).await? {
            match one {
                Ok(subscription) => pending.subscriptions.push(subscription),
                Err(error) => pending.unreadable.push(error.to_string()),
            }
        }
        Ok(Some(pending))
    }
}
