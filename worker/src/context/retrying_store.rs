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
    /// Repeats `call` while the store is unavailable. Returns its answer, or the error that the
    /// same call gives again. Returns `None` when the lease is lost meanwhile.
    pub(crate) async fn until_answered<T, Calling>(
        &self,
        mut call: impl FnMut() -> Calling,
    ) -> Option<Result<T, StoreError>>
    where
        Calling: Future<Output = Result<T, StoreError>>,
    {
        let mut failing = false;
        loop {
            match call().await {
                Err(error) if error.is_unavailable() => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "store unavailable, retrying until it answers");
                    }
                }
                answer => return Some(answer),
            }
            self.pause().await?;
        }
    }

    /// Repeats `call` whatever its error is, because the fleet waits for what it does. An error
    /// that the same call gives again needs an operator; then the call goes on.
    pub(crate) async fn until_successful<T, Calling>(
        &self,
        mut call: impl FnMut() -> Calling,
    ) -> Option<T>
    where
        Calling: Future<Output = Result<T, StoreError>>,
    {
        let mut failing = false;
        loop {
            match self.until_answered(&mut call).await? {
                Ok(answer) => return Some(answer),
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "store cannot carry out a call, retrying");
                    }
                }
            }
            self.pause().await?;
        }
    }

    /// Returns `None` when the lease is lost.
    async fn pause(&self) -> Option<()> {
        self.lease_lost.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await
    }
}
