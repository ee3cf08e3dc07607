//! One listener: every change after a place, once and in order, from the store what it has missed
//! and from the hub what comes.

use std::sync::Arc;
use std::time::Duration;

use shared::store::{Change, EventId, StoreError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{BATCH, Batch, Hub, PAUSE};

/// A listener.
pub(crate) struct Follow {
    hub: Hub,
    batches: broadcast::Receiver<Arc<Batch>>,
    place: EventId,
    // There may be changes behind the place that are not in the batches to come.
    behind: bool,
    // Whoever resumed long after is told; whoever became slow has been told all that there was.
    resumed: bool,
}

/// What a listener hears.
#[derive(Debug)]
pub(crate) enum Step {
    /// Changes, oldest first.
    Changes(Vec<Change>),
    /// Some after this place are not kept any more; it goes on with these, oldest first.
    Lost(EventId, Vec<Change>),
    /// It was so slow that what it has not heard is not kept any more.
    TooSlow,
    /// Nothing for a while.
    Silence,
}

impl Follow {
    /// Listens from now on, or from behind a place.
    pub(crate) async fn new(hub: &Hub, from: Option<EventId>) -> Result<Follow, StoreError> {
        // It listens before it looks where the stream is, so that nothing comes between.
        let batches = hub.listen();
        let place = match from {
            Some(place) => place,
            None => hub.store.last_event().await?,
        };
        Ok(Follow { hub: hub.clone(), batches, place, behind: true, resumed: from.is_some() })
    }

    /// What comes next; `Silence` after so long without anything.
    pub(crate) async fn next(&mut self, silence: Duration) -> Step {
        let heard = async {
            loop {
                let step = if self.behind { self.catch_up().await } else { self.hear().await };
                if let Some(step) = step {
                    return step;
                }
            }
        };
        tokio::time::timeout(silence, heard).await.unwrap_or(Step::Silence)
    }

    /// Reads from the store what it has missed.
    async fn catch_up(&mut self) -> Option<Step> {
        let missed = match self.hub.store.missed(self.place, BATCH as u64).await {
            Ok(missed) => missed,
            Err(error) => {
                tracing::debug!(%error, "events cannot be read now");
                tokio::time::sleep(PAUSE).await;
                return None;
            }
        };
        if missed.lost {
            if !self.resumed {
                return Some(Step::TooSlow);
            }
            let next = match missed.changes.last() {
                Some(last) => last.id(),
                None => self.hub.store.last_event().await.ok()?,
            };
            self.resumed = false;
            let since = std::mem::replace(&mut self.place, next);
            return Some(Step::Lost(since, missed.changes));
        }
        self.resumed = false;
        let Some(last) = missed.changes.last() else {
            self.behind = false;
            return None;
        };
        self.place = last.id();
        Some(Step::Changes(missed.changes))
    }

    /// Hears what the hub has read.
    async fn hear(&mut self) -> Option<Step> {
        let batch = match self.batches.recv().await {
            Ok(batch) => batch,
            Err(RecvError::Lagged(_)) => {
                self.behind = true;
                return None;
            }
            // The hub lives as long as its listeners do.
            Err(RecvError::Closed) => std::future::pending().await,
        };
        if batch.after > self.place {
            self.behind = true;
            return None;
        }
        let fresh = batch.changes.iter().filter(|change| change.id() > self.place).cloned();
        let fresh: Vec<Change> = fresh.collect();
        self.place = fresh.last()?.id();
        Some(Step::Changes(fresh))
    }
}
