//! Ends the jobs of workers whose lease has ended.

use std::time::{Duration, Instant};

use domain::job::WorkerId;
use store::{LeaseExpiry, Store, StoreError};

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// Ends lost leases. It remembers when it last looked, so that an interruption of this process does
/// not count against the workers.
pub(crate) struct LeaseReaper {
    store: Store,
    metrics: Metrics,
    lease: Duration,
    last_look: Instant,
    has_failed: bool,
    wait_until: Instant,
}

impl LeaseReaper {
    /// Returns a reaper that grants workers one `lease` to renew theirs after a pause, including
    /// the time before it starts.
    pub(crate) fn new(store: Store, lease: Duration, metrics: Metrics) -> LeaseReaper {
        let now = Instant::now();
        let (last_look, wait_until) = (now, now + lease);
        LeaseReaper { store, metrics, lease, last_look, has_failed: false, wait_until }
    }

    /// Ends the jobs of workers whose lease has ended, and returns their number. After a pause of
    /// this process or of Redis it waits for one lease first: the workers could not renew theirs
    /// either.
    async fn once(&mut self) -> Result<u64, StoreError> {
        let now = Instant::now();
        let ended = self.store.ended_leases().await.inspect_err(|_| self.has_failed = true)?;
        let has_paused = now.duration_since(self.last_look) > Self::PERIOD * 3;
        if std::mem::take(&mut self.has_failed) || has_paused {
            self.wait_until = now + self.lease;
        }
        self.last_look = Instant::now();
        if now < self.wait_until {
            return Ok(0);
        }
        let (mut expired, mut failed) = (0, None);
        for worker in ended {
            tracing::warn!(worker.id = %worker, "lease of a worker ended");
            // A worker that cannot be read must not keep the jobs of others from ending.
            match self.expire(&worker).await {
                Ok(count) => expired += count,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(expired), Err)
    }

    /// Ends the jobs of a worker whose lease has ended.
    async fn expire(&self, worker: &WorkerId) -> Result<u64, StoreError> {
        let mut expired = 0;
        while let LeaseExpiry::Ended(count, left) = self.store.expire_lease(worker).await? {
            expired += count;
            if left == 0 {
                break;
            }
        }
        Ok(expired)
    }
}

impl Task for LeaseReaper {
    const NAME: &'static str = "leases";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let expired = self.once().await?;
        self.metrics.expired_jobs.inc_by(expired);
        if expired > 0 {
            tracing::info!(count = expired, "ended jobs of lost workers");
        }
        Ok(Pass::default())
    }
}
