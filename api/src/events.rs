//! Changes as they come, for everybody who follows them: one reader of the store for the whole
//! process, while anybody listens. Nothing is buffered beyond a few batches: who has missed some
//! reads them from the store.

mod follow;

use std::sync::Arc;
use std::time::Duration;

use shared::store::{Change, EventId, Events, Store, StoreError};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

pub(crate) use follow::{Follow, Step};

/// How many changes one read brings at most, and how many of these batches wait for a listener.
const BATCH: usize = 100;
const WAITING: usize = 64;
/// How long a read waits for the first change.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before the store is asked again that did not answer.
const PAUSE: Duration = Duration::from_millis(250);

/// Some changes, and the place in the stream that they follow on.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Nothing was told between this and the first of them.
    pub(crate) after: EventId,
    /// The changes, oldest first. None of them: from here on it is read.
    pub(crate) changes: Vec<Change>,
}

/// Where one listens.
#[derive(Clone)]
pub(crate) struct Hub {
    store: Store,
    batches: broadcast::Sender<Arc<Batch>>,
    listened: Arc<Notify>,
}

impl Hub {
    /// A hub that nobody listens to.
    pub(crate) fn new(store: Store) -> Hub {
        let (batches, _) = broadcast::channel(WAITING);
        Hub { store, batches, listened: Arc::default() }
    }

    /// Everything that is read from now on.
    fn listen(&self) -> broadcast::Receiver<Arc<Batch>> {
        let batches = self.batches.subscribe();
        self.listened.notify_one();
        batches
    }

    /// Reads while anybody listens, until `shutdown`.
    pub(crate) async fn read(self, shutdown: CancellationToken) -> Result<(), StoreError> {
        let mut events = self.store.events()?;
        let reading = async {
            loop {
                while self.batches.receiver_count() == 0 {
                    self.listened.notified().await;
                }
                self.read_while_listened(&mut events).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = reading => Ok(()),
        }
    }

    async fn read_while_listened(&self, events: &mut Events) {
        let mut place = None;
        while self.batches.receiver_count() > 0 {
            match self.next(events, place).await {
                Ok(batch) => {
                    let last = batch.changes.last().map(Change::id);
                    let begins = place.is_none();
                    place = Some(last.unwrap_or(batch.after));
                    if begins || last.is_some() {
                        // Nobody left to hear it: that is seen above.
                        let _ = self.batches.send(Arc::new(batch));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "events cannot be read now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// What comes next; of a reader that has no place yet, the place to begin at.
    async fn next(&self, events: &mut Events, place: Option<EventId>) -> Result<Batch, StoreError> {
        let Some(after) = place else {
            return Ok(Batch { after: self.store.last_event().await?, changes: Vec::new() });
        };
        Ok(Batch { after, changes: events.after(after, BATCH, PATIENCE).await? })
    }
}
