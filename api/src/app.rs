//! What every handler is given. It is made once by `run` and shared; dropping the last one ends the
//! drivers.

use std::sync::Arc;

use axum::body::Bytes;
use shared::store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::submit::Submissions;

/// How many logs are followed at once at most: each asks the store ten times a second.
pub(crate) const MOST_STREAMS: usize = 256;

/// What handlers work with.
pub(crate) struct App {
    /// The truth about jobs.
    pub(crate) store: Store,
    /// The way into it.
    pub(crate) submissions: Submissions,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// A permit for each log that is followed.
    pub(crate) streams: Arc<Semaphore>,
    /// The OpenAPI document, ready to be sent.
    pub(crate) docs: Bytes,
    /// Ends what would otherwise go on for ever.
    pub(crate) shutdown: CancellationToken,
}
