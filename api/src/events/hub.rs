//! The hub: reads events from the store while anyone follows them, and passes them on in batches.
//! It buffers only a few batches; a follower that has missed some reads them from the store.

use std::sync::Arc;
use std::time::Duration;

use store::{Event, EventId, Events, Store, StoreError};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

/// How many events one read returns at most.
pub(super) const BATCH: usize = 100;
/// How many batches are buffered for a follower.
const BUFFERED_BATCHES: usize = 64;
/// How long a read waits for the first event.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause after a read that failed.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Events, and the id that they follow.
#[derive(Debug)]
pub(super) struct Batch {
    /// No event lies between this one and the first of the batch.
    pub(super) after: EventId,
    /// The events, oldest first. An empty batch marks where reading begins.
    pub(super) events: Vec<Event>,
}

/// The source of events for all followers of the process.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(super) store: Store,
    batches: broadcast::Sender<Arc<Batch>>,
    subscribed: Arc<Notify>,
}

impl Hub {
    /// Creates a hub without followers.
    pub(crate) fn new(store: Store) -> Hub {
        let (batches, _) = broadcast::channel(BUFFERED_BATCHES);
        Hub { store, batches, subscribed: Arc::default() }
    }

    /// Returns every batch that is read from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        let batches = self.batches.subscribe();
        self.subscribed.notify_one();
        batches
    }

    /// Reads events while there are followers, until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<(), StoreError> {
        let mut events = self.store.events()?;
        let reading = async {
            loop {
                while self.batches.receiver_count() == 0 {
                    self.subscribed.notified().await;
                }
                self.read_while_followed(&mut events).await;
            }
        };
        shutdown.run_until_cancelled(reading).await;
        Ok(())
    }

    async fn read_while_followed(&self, events: &mut Events) {
        let mut position = None;
        while self.batches.receiver_count() > 0 {
            match self.next(events, position).await {
                Ok(batch) => {
                    let last = batch.events.last().map(|event| event.id);
                    let is_first = position.is_none();
                    position = Some(last.unwrap_or(batch.after));
                    if is_first || last.is_some() {
                        // It fails without followers, which ends the loop.
                        let _ = self.batches.send(Arc::new(batch));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot read events");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Returns the events after a position; without one, an empty batch at the end of the stream.
    async fn next(
        &self,
        events: &mut Events,
        position: Option<EventId>,
    ) -> Result<Batch, StoreError> {
        let Some(after) = position else {
            return Ok(Batch { after: self.store.last_event().await?, events: Vec::new() });
        };
        Ok(Batch { after, events: events.after(after, BATCH, READ_TIMEOUT).await? })
    }
}
