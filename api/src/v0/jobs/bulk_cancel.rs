//! Bulk cancellation: cancels all jobs that match a filter, in small steps and for a limited time.

use std::time::Duration;

use domain::job::Status;
use store::{CancelAnswer, JobFilter, Store, StoreError};
use tokio::time::Instant;

use crate::auth::Caller;
use crate::commands::deliveries::without_deliveries;
use crate::commands::job::requested_by;

/// The number of jobs that one call of the store cancels.
const BATCH: usize = 100;
/// A request that has cancelled at least one job ends after this time.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// The progress of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BulkCancellation {
    /// The number of jobs that were cancelled or whose workers were told to stop them.
    pub(super) cancelled: u64,
    /// True if the time limit was reached before all jobs were examined.
    pub(super) more: bool,
}

/// Cancels every job that matches the filter and that the caller may change. Each job is cancelled
/// separately: after an error, some are cancelled, and the request can be repeated.
pub(super) async fn cancel_all(
    store: &Store,
    filter: &JobFilter,
    caller: &Caller,
) -> Result<BulkCancellation, StoreError> {
    let deadline = Instant::now() + TIME_LIMIT;
    let mut progress = BulkCancellation::default();
    for status in &filter.statuses {
        loop {
            let before = progress.cancelled;
            pass(store, (filter, *status), caller, deadline, &mut progress).await?;
            // Jobs that leave the index during a pass shift the others, so it may skip some.
            if progress.more || progress.cancelled == before {
                break;
            }
        }
    }
    Ok(progress)
}

/// Cancels the matching jobs of one status. The index by action or worker is not used, because it
/// also lists finished jobs, and the next request would have to skip the cancelled ones again.
async fn pass(
    store: &Store,
    (filter, status): (&JobFilter, Status),
    caller: &Caller,
    deadline: Instant,
    progress: &mut BulkCancellation,
) -> Result<(), StoreError> {
    let mut position = 0;
    loop {
        let (passed, ids) = store.walk_step(filter, status, position).await?;
        if passed == 0 {
            return Ok(());
        }
        let ids = without_deliveries(store, caller, ids).await?;
        for batch in ids.chunks(BATCH) {
            // Every request makes some progress, so repeating it eventually completes.
            if Instant::now() > deadline && progress.cancelled > 0 {
                progress.more = true;
                return Ok(());
            }
            let answers = store.cancel(batch, &requested_by(caller)).await?;
            let requested = answers.iter().filter(|one| matches!(one, CancelAnswer::Requested(_)));
            progress.cancelled += requested.count() as u64;
        }
        // The jobs that were cancelled have left the index of the status.
        position += passed - ids.len();
    }
}
