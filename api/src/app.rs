//! What every handler is given. It is made once by `run` and shared; dropping the last one ends the
//! drivers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use shared::store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::audit::Recorder;
use crate::auth::Access;
use crate::error::Error;
use crate::events::Hub;
use crate::metrics::Metrics;
use crate::submit::Submissions;

/// How many logs are followed at once at most: each asks the store ten times a second.
pub(crate) const MOST_STREAMS: usize = 256;
/// How many lists that no index serves are put together at once at most; others wait.
pub(crate) const MOST_SCANS: usize = 4;
/// An answer begins within this time, whatever the store does.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What handlers work with.
pub(crate) struct App {
    /// The truth about jobs.
    pub(crate) store: Store,
    /// Whose jobs these are: the prefix of every key of the store.
    pub(crate) namespace: String,
    /// The way into it.
    pub(crate) submissions: Submissions,
    /// Who may do what.
    pub(crate) access: Arc<Access>,
    /// Where changes are told of.
    pub(crate) audit: Recorder,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// A permit for each log that is followed.
    pub(crate) streams: Arc<Semaphore>,
    /// A permit for each walk through all jobs.
    pub(crate) scans: Semaphore,
    /// Changes as they come.
    pub(crate) events: Hub,
    /// A permit for each stream of them.
    pub(crate) event_streams: Arc<Semaphore>,
    /// The OpenAPI document, ready to be sent.
    pub(crate) docs: Bytes,
    /// Ends what would otherwise go on for ever.
    pub(crate) shutdown: CancellationToken,
}

impl App {
    /// Finds out in time whether the store answers. For what reads many pages of a long history:
    /// each read has a limit of its own, and all together have none.
    pub(crate) async fn reach_store(&self) -> Result<(), Error> {
        in_time(async { Ok(self.store.ping().await?) }).await
    }
}

/// Gives up on a store that answers late, or calls that are many: each has a limit of its own, but
/// one that waits for a new connection first, or the sum of several, may take longer.
pub(crate) async fn in_time<T, E: From<Error>>(
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let late = |_| E::from(Error::Unavailable("the store does not answer"));
    tokio::time::timeout(ANSWER_LIMIT, asking).await.map_err(late)?
}
