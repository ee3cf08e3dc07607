//! Reports of a running job of which only the last counts, on their way to the store. They are
//! written at most once a second, however often the job reports, and the last one is written when
//! the job ends.

use std::time::Duration;

use store::{AppendAnswer, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::retrying_store::RetryingStore;

/// The pause between two writes.
const PERIOD: Duration = Duration::from_secs(1);

/// Writes reports until the run is `over`, then the last one. A sender that outlives the run does
/// not keep this alive. `write` is repeated until the store answers; an error that it gives again
/// ends the writing, and `failed` logs it.
pub(crate) async fn write_reports<Report, Writing>(
    mut reported: watch::Receiver<Report>,
    store: &RetryingStore,
    over: &CancellationToken,
    write: impl Fn(Report) -> Writing,
    failed: impl FnOnce(StoreError),
) where
    Report: Clone,
    Writing: Future<Output = Result<AppendAnswer, StoreError>>,
{
    loop {
        tokio::select! {
            biased;
            changed = reported.changed() => if changed.is_err() { return },
            () = over.cancelled() => return,
        }
        let report = reported.borrow_and_update().clone();
        match store.until_answered(|| write(report.clone())).await {
            Some(Ok(AppendAnswer::Recorded)) => {}
            Some(Ok(AppendAnswer::Cut | AppendAnswer::Stale)) | None => return,
            Some(Err(error)) => return failed(error),
        }
        // The end of the run ends the pause, so that the last report is written at once.
        over.run_until_cancelled(tokio::time::sleep(PERIOD)).await;
    }
}
