//! A follower: every event after a position, once and in order. Missed events come from the store,
//! new ones from the hub.

use std::sync::Arc;
use std::time::Duration;

use store::{Event, EventId, StoreError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::hub::{BATCH, Batch, Hub, RETRY_PAUSE};

/// A reader of the event stream.
pub(crate) struct Follower {
    hub: Hub,
    batches: broadcast::Receiver<Arc<Batch>>,
    position: EventId,
    /// There may be events after the position that the hub does not deliver.
    is_behind: bool,
    /// The client resumed at an old event and has not caught up yet.
    is_resuming: bool,
}

/// What a follower receives.
#[derive(Debug)]
pub(crate) enum Step {
    /// Events, oldest first.
    Events(Vec<Event>),
    /// Events after this id are no longer kept; these follow the gap, oldest first.
    Lost(EventId, Vec<Event>),
    /// The follower was so slow that events it has not received are no longer kept.
    TooSlow,
    /// No event for a while.
    Silence,
}

impl Follower {
    /// Follows from now on, or after an event.
    pub(crate) async fn new(hub: &Hub, after: Option<EventId>) -> Result<Follower, StoreError> {
        // Subscribing before looking at the end of the stream leaves no gap.
        let batches = hub.subscribe();
        let position = match after {
            Some(after) => after,
            None => hub.store.last_event().await?,
        };
        let is_resuming = after.is_some();
        Ok(Follower { hub: hub.clone(), batches, position, is_behind: true, is_resuming })
    }

    /// Returns what comes next, or [`Step::Silence`] if nothing came for `silence`.
    pub(crate) async fn next(&mut self, silence: Duration) -> Step {
        let receiving = async {
            loop {
                let step =
                    if self.is_behind { self.catch_up().await } else { self.receive().await };
                if let Some(step) = step {
                    return step;
                }
            }
        };
        tokio::time::timeout(silence, receiving).await.unwrap_or(Step::Silence)
    }

    /// Reads missed events from the store.
    async fn catch_up(&mut self) -> Option<Step> {
        let missed = match self.hub.store.events_after(self.position, BATCH as u64).await {
            Ok(missed) => missed,
            Err(error) => {
                tracing::debug!(%error, "cannot read events");
                tokio::time::sleep(RETRY_PAUSE).await;
                return None;
            }
        };
        if missed.lost {
            if !self.is_resuming {
                return Some(Step::TooSlow);
            }
            let next = match missed.events.last() {
                Some(last) => last.id,
                None => self.hub.store.last_event().await.ok()?,
            };
            self.is_resuming = false;
            let since = std::mem::replace(&mut self.position, next);
            return Some(Step::Lost(since, missed.events));
        }
        self.is_resuming = false;
        let Some(last) = missed.events.last() else {
            self.is_behind = false;
            return None;
        };
        self.position = last.id;
        Some(Step::Events(missed.events))
    }

    /// Receives a batch from the hub.
    async fn receive(&mut self) -> Option<Step> {
        let batch = match self.batches.recv().await {
            Ok(batch) => batch,
            Err(RecvError::Lagged(_)) => {
                self.is_behind = true;
                return None;
            }
            // It cannot happen: this follower holds the hub, which holds the sender.
            Err(RecvError::Closed) => std::future::pending().await,
        };
        if batch.after > self.position {
            self.is_behind = true;
            return None;
        }
        let fresh = batch.events.iter().filter(|event| event.id > self.position).cloned();
        let fresh: Vec<Event> = fresh.collect();
        self.position = fresh.last()?.id;
        Some(Step::Events(fresh))
    }
}
