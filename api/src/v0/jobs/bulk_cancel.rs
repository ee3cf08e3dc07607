//! Cancels all jobs that match a filter, in small steps and for a limited time.

use std::time::Duration;

use domain::job::{Cancellation, Status};
use store::{CancelAnswer, JobFilter, Store, StoreError};
use tokio::time::Instant;

/// How many jobs one call of the store cancels.
const BATCH: usize = 100;
/// How long one request goes on, once it has cancelled something.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// How far a request came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BulkCancellation {
    /// The number of jobs that were cancelled, or asked to stop.
    pub(super) cancelled: u64,
    /// The time was over before all jobs were looked at.
    pub(super) more: bool,
}

/// Cancels every job that matches the filter. Each job is cancelled by itself: an error leaves some
/// cancelled, and the request can be repeated.
pub(super) async fn cancel_all(
    store: &Store,
    filter: &JobFilter,
    why: &Cancellation,
) -> Result<BulkCancellation, StoreError> {
    let deadline = Instant::now() + TIME_LIMIT;
    let mut progress = BulkCancellation::default();
    for status in &filter.statuses {
        loop {
            let before = progress.cancelled;
            pass(store, (filter, *status), why, deadline, &mut progress).await?;
            // Jobs that leave the index meanwhile shift the others, so a pass may skip some.
            if progress.more || progress.cancelled == before {
                break;
            }
        }
    }
    Ok(progress)
}

/// Goes once through the jobs of a status. The index by action or worker would also list finished
/// jobs, and cancelled ones would stay in the way of the next request.
async fn pass(
    store: &Store,
    (filter, status): (&JobFilter, Status),
    why: &Cancellation,
    deadline: Instant,
    progress: &mut BulkCancellation,
) -> Result<(), StoreError> {
    let mut position = 0;
    loop {
        let (passed, ids) = store.walk_step(filter, status, position).await?;
        if passed == 0 {
            return Ok(());
        }
        for some in ids.chunks(BATCH) {
            // Every request makes some progress, so repeating it comes to an end.
            if Instant::now() > deadline && progress.cancelled > 0 {
                progress.more = true;
                return Ok(());
            }
            let answers = store.cancel(some, why).await?;
            let asked = answers.iter().filter(|one| matches!(one, CancelAnswer::Requested(_)));
            progress.cancelled += asked.count() as u64;
        }
        // The jobs that matched have left the index of the status.
        position += passed - ids.len();
    }
}
