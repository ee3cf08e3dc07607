//! Leaves a primary that the servers that know it no longer name. Calls alone do not notice: a
//! primary that is cut off from the sentinels, but not from this process, answers all of them.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::connection::Connection;

/// How often the sentinels, or the nodes of the cluster, are asked.
const PERIOD: Duration = Duration::from_secs(1);

/// The task that asks. It ends when this is dropped.
pub(crate) struct PrimaryWatch(JoinHandle<()>);

impl PrimaryWatch {
    /// Starts to watch, unless the URL names one server. All connections that count the failures of
    /// this one are replaced when another server is named.
    pub(crate) fn new(connection: &Connection) -> Option<PrimaryWatch> {
        let lookup = connection.lookup()?;
        let connection = connection.clone();
        let watching = async move {
            loop {
                tokio::time::sleep(PERIOD).await;
                let Some(used) = connection.address() else { continue };
                let named = lookup.named_by_majority().await;
                if let Some(named) = named.filter(|named| *named != used) {
                    tracing::warn!(primary = %named, left = %used, "redis has another primary");
                    connection.suspect();
                }
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the watch owns the task and aborts it")]
        let task = tokio::spawn(watching);
        Some(PrimaryWatch(task))
    }
}

impl Drop for PrimaryWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
