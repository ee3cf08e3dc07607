//! The state that handlers share. Dropping the last reference ends the submission drivers.

use std::sync::Arc;

use axum::body::Bytes;
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::Authenticator;
use crate::bulk::NewOperation;
use crate::deadline::in_time;
use crate::error::Error;
use crate::events::Hub;
use crate::live_pages::LivePages;
use crate::metrics::Metrics;
use crate::submit::Submissions;

/// How many job logs can be followed at once. Each polls the store ten times a second.
pub(crate) const MAX_LOG_STREAMS: usize = 256;
/// How many lists that no index serves can be computed at once; further ones wait.
pub(crate) const MAX_SCANS: usize = 4;

/// The state that handlers share.
pub(crate) struct App {
    /// The store, which holds all state of jobs.
    pub(crate) store: Store,
    /// The namespace: the prefix of every key of the store.
    pub(crate) namespace: String,
    /// The path of submissions into the store.
    pub(crate) submissions: Submissions,
    /// The metrics of the API.
    pub(crate) metrics: Metrics,
    /// Wakes the task that runs bulk operations.
    pub(crate) new_operation: NewOperation,
    /// One permit for each followed log.
    pub(crate) log_streams: Arc<Semaphore>,
    /// One permit for each scan of all jobs.
    pub(crate) scans: Semaphore,
    /// The source of events.
    pub(crate) events: Hub,
    /// One permit for each event stream.
    pub(crate) event_streams: Arc<Semaphore>,
    /// One permit for each tab of the web page that follows its page.
    pub(crate) page_streams: Arc<Semaphore>,
    /// The pages that open tabs of the web page follow.
    pub(crate) live_pages: LivePages,
    /// Begins and ends sessions of the web page.
    pub(crate) authenticator: Arc<Authenticator>,
    /// True if the web page is served.
    pub(crate) web: bool,
    /// True if the API itself speaks TLS.
    pub(crate) uses_tls: bool,
    /// The OpenAPI document as JSON.
    pub(crate) docs: Bytes,
    /// Ends endless answers at shutdown.
    pub(crate) shutdown: CancellationToken,
}

impl App {
    /// Checks that the store answers in time.
    ///
    /// Handlers that read many pages call it first: each read has a limit, all together have none.
    pub(crate) async fn reach_store(&self) -> Result<(), Error> {
        in_time(async { Ok(self.store.ping().await?) }).await
    }
}
