//! The path of submissions into the store. Submissions that arrive at the same time go to the store
//! in one call; a batch is stored whole before its first job is submitted.

mod accepted;
mod batches;
mod checks;
mod draft;
mod expiry;
mod idempotency_key;
mod retry;
mod singles;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::batcher::{BatchDriver, Batcher, batcher};
use store::{MemoryUse, Store};
use tokio::time::Instant;

pub(crate) use accepted::{Acceptance, Accepted};
pub(crate) use draft::{Draft, DraftBatch};
pub(crate) use expiry::{check_expiries, check_expiry};
pub(crate) use idempotency_key::IdempotencyKey;

use crate::deadline::in_time;
use crate::error::{Error, STORE_FULL, STORE_UNAVAILABLE};

/// How many single submissions one call of the store carries.
const MAX_SINGLES: usize = 64;
/// How long a submission may queue before it is refused without being tried.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

const SHUTTING_DOWN: Error = Error::Unavailable("the service is shutting down");

/// A submission in the queue of a driver.
struct Queued<Request> {
    deadline: Instant,
    request: Request,
}

/// Whether the store has room for new jobs. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoreRoom {
    is_full: Arc<AtomicBool>,
}

impl StoreRoom {
    /// Notes how much memory the store uses. Logs when submissions are refused, and when they are
    /// accepted again.
    pub(crate) fn note(&self, memory: &MemoryUse) {
        let is_full = memory.is_nearly_full();
        let was_full = self.is_full.swap(is_full, Ordering::Relaxed);
        let MemoryUse { used_bytes, limit_bytes } = memory;
        match (was_full, is_full) {
            (false, true) => {
                tracing::error!(used_bytes, limit_bytes, "the store is nearly full: no new jobs");
            }
            (true, false) => {
                tracing::info!(used_bytes, limit_bytes, "the store has room for new jobs again");
            }
            (false, false) | (true, true) => {}
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.is_full.load(Ordering::Relaxed) { Err(STORE_FULL) } else { Ok(()) }
    }
}

/// The queues of submissions. Dropping them ends their drivers.
pub(crate) struct Submissions {
    room: StoreRoom,
    singles: Batcher<Queued<Draft>, Result<Accepted, Error>>,
    batches: Batcher<Queued<DraftBatch>, Result<Vec<Accepted>, Error>>,
}

impl Submissions {
    /// Creates the queues, and the drivers of single submissions and of batches.
    pub(crate) fn new(
        store: &Store,
        room: StoreRoom,
    ) -> (Submissions, impl Future<Output = ()> + use<>, impl Future<Output = ()> + use<>) {
        let (singles, driver) = batcher(MAX_SINGLES);
        let for_singles = store.clone();
        let drive_singles =
            drive(driver, move |drafts| singles::submit(for_singles.clone(), drafts));
        // One batch at a time: concurrent batches would not be faster, only delay each other.
        let (batches, driver) = batcher(1);
        let for_batches = store.clone();
        let drive_batches =
            drive(driver, move |batches| batches::submit(for_batches.clone(), batches));
        (Submissions { room, singles, batches }, drive_singles, drive_batches)
    }

    /// Submits one job.
    pub(crate) async fn one(&self, draft: Draft) -> Result<Accepted, Error> {
        self.room.check()?;
        let queued = Queued { deadline: Instant::now() + QUEUE_TIMEOUT, request: draft };
        in_time(async { self.singles.ask(queued).await.unwrap_or(Err(SHUTTING_DOWN)) }).await
    }

    /// Submits jobs in order; an error names the job that caused it.
    pub(crate) async fn batch(&self, batch: DraftBatch) -> Result<Vec<Accepted>, Error> {
        self.room.check()?;
        let queued = Queued { deadline: Instant::now() + QUEUE_TIMEOUT, request: batch };
        self.batches.ask(queued).await.unwrap_or(Err(SHUTTING_DOWN))
    }
}

/// Serves requests until their queue is dropped. Those past their deadline are refused.
async fn drive<Request, Reply, Serving>(
    driver: BatchDriver<Queued<Request>, Result<Reply, Error>>,
    mut serve: impl FnMut(Vec<Request>) -> Serving,
) where
    Serving: Future<Output = Vec<Result<Reply, Error>>>,
{
    let serve_queued = |queued: Vec<Queued<Request>>| {
        let now = Instant::now();
        let in_time: Vec<bool> = queued.iter().map(|one| one.deadline > now).collect();
        let requests = queued.into_iter().filter(|one| one.deadline > now);
        let requests: Vec<Request> = requests.map(|one| one.request).collect();
        let serving = (!requests.is_empty()).then(|| serve(requests));
        async move {
            let served = match serving {
                Some(serving) => serving.await,
                None => Vec::new(),
            };
            let mut served = served.into_iter();
            let reply = |in_time: bool| in_time.then(|| served.next()).flatten();
            let replies = in_time.into_iter().map(reply);
            replies.map(|reply| reply.unwrap_or(Err(STORE_UNAVAILABLE))).collect()
        }
    };
    driver.run(serve_queued).await;
}
