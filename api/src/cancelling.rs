//! Cancelling many jobs: all that match, in small steps, for a bounded time.

use std::time::Duration;

use shared::job::{Cancelled, Status};
use shared::store::{Cancelling, Filter, Store, StoreError};
use tokio::time::Instant;

/// How many jobs one call of the store cancels.
const TOGETHER: usize = 100;
/// So long one request goes on, unless it has found nothing by then.
const LIMIT: Duration = Duration::from_secs(3);

/// How far it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Jobs that were cancelled, or asked to stop.
    pub(crate) cancelled: u64,
    /// The time was over before the end.
    pub(crate) more: bool,
}

/// Cancels what matches the filter in its statuses. Each job is cancelled by itself: what fails half
/// way has cancelled some, and may be done again.
pub(crate) async fn sweep(
    store: &Store,
    filter: &Filter,
    why: &Cancelled,
) -> Result<Swept, StoreError> {
    let until = Instant::now() + LIMIT;
    let mut swept = Swept::default();
    for status in &filter.statuses {
        loop {
            let before = swept.cancelled;
            pass(store, (filter, *status), why, until, &mut swept).await?;
            // What others took out of the index meanwhile moved its places: perhaps some were missed.
            if swept.more || swept.cancelled == before {
                break;
            }
        }
    }
    Ok(swept)
}

/// Goes once through what is in the status. Not through an index by action or worker: those keep
/// what is long over, and here what was cancelled is out of the way of the next request.
async fn pass(
    store: &Store,
    (filter, status): (&Filter, Status),
    why: &Cancelled,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let mut at = 0;
    loop {
        let (passed, ids) = store.step(filter, status, at).await?;
        if passed == 0 {
            return Ok(());
        }
        for some in ids.chunks(TOGETHER) {
            // Only after some progress, so that asking again comes to an end.
            if Instant::now() > until && swept.cancelled > 0 {
                swept.more = true;
                return Ok(());
            }
            let answers = store.cancel(some, why).await?;
            let asked = answers.iter().filter(|one| matches!(one, Cancelling::Asked(_)));
            swept.cancelled += asked.count() as u64;
        }
        // Those that matched are in the status no more.
        at += passed - ids.len();
    }
}
