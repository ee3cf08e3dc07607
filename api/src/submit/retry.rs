//! Repeats calls of the store, so that a short outage refuses no submission.

use std::future::Future;
use std::time::Duration;

use store::StoreError;
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(100);

/// Repeats a call while the store is unavailable, until `deadline`. A full store does not become
/// usable that soon.
pub(super) async fn retry_until<T, Calling>(
    deadline: Instant,
    call: impl Fn() -> Calling,
) -> Result<T, StoreError>
where
    Calling: Future<Output = Result<T, StoreError>>,
{
    loop {
        match call().await {
            Err(error)
                if error.is_unavailable()
                    && !error.is_full()
                    && Instant::now() + PAUSE < deadline =>
            {
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
