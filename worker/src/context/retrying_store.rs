//! The store as a running job uses it: calls are repeated until the store answers, so an outage
//! delays what is recorded and loses none of it.

use std::time::Duration;

use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// The pause between two tries of a call.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// A store whose calls are repeated until it answers or the worker's lease is lost. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RetryingStore {
    pub(crate) store: Store,
    /// Cancelled when the lease is lost: writes of this session no longer count.
    pub(crate) lease_lost: CancellationToken,
}

impl RetryingStore {
    /// Repeats `call` until the store answers. Returns `None` when the lease is lost meanwhile.
    pub(crate) async fn until_answered<T, Calling>(
        &self,
        mut call: impl FnMut() -> Calling,
    ) -> Option<T>
    where
        Calling: Future<Output = Result<T, StoreError>>,
    {
        let mut failing = false;
        loop {
            match call().await {
                Ok(answer) => return Some(answer),
                Err(error) if !error.is_unavailable() => {
                    // The effect of the call is unknown and a retry would not reveal it. Giving up
                    // the lease lets the store decide.
                    tracing::error!(%error, "unreadable answer from the store, new session");
                    self.lease_lost.cancel();
                    return None;
                }
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(%error, "store unavailable, retrying until it answers");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.lease_lost.cancelled() => return None,
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }
}
