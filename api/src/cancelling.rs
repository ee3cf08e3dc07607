//! Cancelling many jobs: all that match, in small steps, for a bounded time.

use std::time::Duration;

use shared::job::{Cancelled, Status};
use shared::store::{Cancelling, Filter, Store};
use tokio::time::Instant;

use crate::error::Error;

/// How many ids one read of the list brings.
const ROUND: usize = 5_000;
/// How many jobs one call of the store cancels.
const TOGETHER: usize = 100;
/// So long one request goes on cancelling; what it reads comes on top.
const LIMIT: Duration = Duration::from_secs(3);

/// How far it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Jobs that were cancelled, or asked to stop.
    pub(crate) cancelled: u64,
    /// Jobs that still match, when the time was over.
    pub(crate) left: u64,
}

/// Cancels what matches the filter in its statuses. Each job is cancelled by itself: what fails half
/// way has cancelled some, and may be done again.
pub(crate) async fn sweep(store: &Store, filter: &Filter, why: &Cancelled) -> Result<Swept, Error> {
    let until = Instant::now() + LIMIT;
    let mut swept = Swept::default();
    // One status at a time: what waits is often little beside a long history of the same action.
    for status in &filter.statuses {
        let filter = in_status(filter, *status);
        sweep_one(store, &filter, why, until, &mut swept).await?;
    }
    Ok(swept)
}

fn in_status(filter: &Filter, status: Status) -> Filter {
    Filter { statuses: vec![status], ..filter.clone() }
}

async fn sweep_one(
    store: &Store,
    filter: &Filter,
    why: &Cancelled,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), Error> {
    loop {
        // What was cancelled matches no more, so the next ones stand at the beginning.
        let (ids, mut left) = store.job_ids(filter, 0, ROUND).await?;
        if ids.is_empty() {
            return Ok(());
        }
        for some in ids.chunks(TOGETHER) {
            if Instant::now() > until {
                swept.left += left;
                return Ok(());
            }
            let answers = store.cancel(some, why).await?;
            let asked = answers.iter().filter(|one| matches!(one, Cancelling::Asked(_)));
            swept.cancelled += asked.count() as u64;
            left = left.saturating_sub(some.len() as u64);
        }
    }
}
