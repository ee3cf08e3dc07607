//! What an operation would do, without doing it.

use std::time::Duration;

use store::{BulkSpec, Store, StoreError};
use tokio::time::Instant;

use super::eligibility::{Counts, select};

/// The time limit of counting.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What an operation would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Preview {
    /// The number of jobs that it would change.
    pub(crate) eligible: u64,
    /// The number of matching jobs that it would not, by reason.
    pub(crate) refused: Counts,
    /// True if the time limit was reached before all jobs were examined.
    pub(crate) more: bool,
}

/// Counts the jobs that an operation would change.
pub(crate) async fn preview(store: &Store, spec: &BulkSpec) -> Result<Preview, StoreError> {
    let deadline = Instant::now() + TIME_LIMIT;
    let (mut preview, mut cursor) = (Preview::default(), None);
    loop {
        let step = store.bulk_step(&spec.filter, cursor).await?;
        preview.eligible += select(spec, &step.jobs, &mut preview.refused).len() as u64;
        if step.next.is_none() {
            return Ok(preview);
        }
        if Instant::now() > deadline {
            return Ok(Preview { more: true, ..preview });
        }
        cursor = step.next;
    }
}
