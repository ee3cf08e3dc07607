//! The time limit for everything that a request asks of the store.

use std::time::Duration;

use crate::error::{Error, STORE_UNAVAILABLE};

/// How long a request may wait for the store before it is answered 503.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs calls of the store and gives up after [`LIMIT`].
///
/// Each call has its own limit, but waiting for a new connection, or a sequence of calls, may take
/// longer.
pub(crate) async fn in_time<T, E: From<Error>>(
    calls: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(LIMIT, calls).await.map_err(|_| E::from(STORE_UNAVAILABLE))?
}
