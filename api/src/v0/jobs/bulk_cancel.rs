//! Cancels all jobs that match a filter within one request, for a limited time. It takes the same
//! steps as a bulk operation, but is not stored.

use std::time::Duration;

use store::{BulkSpec, Store, StoreError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::bulk::{Counts, Requester, apply, select};

/// The number of jobs that are cancelled between two looks at the clock.
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

/// Cancels every job that matches. Each job is cancelled separately: after an error, some are
/// cancelled, and the request can be repeated.
pub(super) async fn cancel_all(
    store: &Store,
    spec: &BulkSpec,
) -> Result<BulkCancellation, StoreError> {
    let deadline = Instant::now() + TIME_LIMIT;
    let requester =
        Requester { name: &spec.requested_by, operation: Uuid::new_v4(), is_repeated: false };
    let (mut cancelled, mut cursor, mut refused) = (0, None, Counts::new());
    loop {
        let step = store.bulk_step(&spec.filter, cursor).await?;
        for batch in select(spec, &step.jobs, &mut refused).chunks(BATCH) {
            // Every request makes some progress, so repeating it eventually completes.
            if Instant::now() > deadline && cancelled > 0 {
                return Ok(BulkCancellation { cancelled, more: true });
            }
            cancelled += apply(store, spec.verb, batch, requester, &mut refused).await?;
        }
        if step.next.is_none() {
            return Ok(BulkCancellation { cancelled, more: false });
        }
        cursor = step.next;
    }
}
