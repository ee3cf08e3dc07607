//! Signals changes to readers that read the store themselves. Events that have already happened are
//! skipped, so a slow reader gets one signal for all of them.

use std::sync::Arc;

use store::EventId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::hub::{Batch, Hub};

/// The changes after a position.
pub(crate) struct Changes {
    /// It holds the sender, so the channel stays open.
    _hub: Hub,
    batches: broadcast::Receiver<Arc<Batch>>,
    position: Option<EventId>,
}

impl Changes {
    /// Returns the changes from now on.
    pub(crate) fn new(hub: &Hub) -> Changes {
        Changes { batches: hub.subscribe(), _hub: hub.clone(), position: None }
    }

    /// Returns the id of the last event that was skipped; `None` if that is not known yet.
    pub(crate) fn position(&self) -> Option<EventId> {
        self.position
    }

    /// Waits for a change, and skips all events that have happened.
    pub(crate) async fn next(&mut self) {
        loop {
            let received = self.batches.recv().await;
            let mut has_changed = match received {
                Ok(batch) => self.pass(&batch),
                Err(RecvError::Lagged(_)) => true,
                // It cannot happen: the hub holds the sender.
                Err(RecvError::Closed) => std::future::pending().await,
            };
            loop {
                match self.batches.try_recv() {
                    Ok(batch) => has_changed |= self.pass(&batch),
                    Err(TryRecvError::Lagged(_)) => has_changed = true,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            if has_changed {
                return;
            }
        }
    }

    /// Moves past a batch. Returns true if it contains an event.
    fn pass(&mut self, batch: &Batch) -> bool {
        let last = batch.events.last().map(|event| event.id);
        self.position = Some(last.unwrap_or(batch.after));
        last.is_some()
    }
}
