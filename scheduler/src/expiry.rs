//! Ends jobs that were not started before they expired, and waits for signals that were not sent in
//! time. A task of its own, so that due jobs and expired ones do not hold up each other.

use std::time::Duration;

use store::Store;

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// Ends expired jobs and waits. Two of them at once end each once.
pub(crate) struct Expiry {
    store: Store,
    metrics: Metrics,
}

impl Expiry {
    pub(crate) fn new(store: Store, metrics: Metrics) -> Expiry {
        Expiry { store, metrics }
    }
}

impl Task for Expiry {
    const NAME: &'static str = "expiry";
    const PERIOD: Duration = Duration::from_millis(100);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let ended = self.store.expire_waiting().await?;
        self.metrics.expired_waiting_jobs.inc_by(ended.expired);
        Ok(if ended.expired + ended.timed_out > 0 { Pass::again() } else { Pass::default() })
    }
}
