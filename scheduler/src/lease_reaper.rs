//! Ends the jobs of workers whose lease has ended.

use std::time::{Duration, Instant};

use domain::job::WorkerId;
use store::{LeaseExpiry, Store, StoreError};

use crate::clock_watch::{ClockStep, ClockWatch, Reading};
use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// Ends lost leases. It remembers when it last looked, so that an interruption of this process does
/// not count against the workers, and compares the clock of Redis with its own, so that a clock that
/// is set does not either.
pub(crate) struct LeaseReaper {
    store: Store,
    metrics: Metrics,
    lease: Duration,
    last_look: Instant,
    has_failed: bool,
    wait_until: Instant,
    clock: ClockWatch,
    /// Instants of the store may lie too far in the future.
    must_clamp: bool,
}

impl LeaseReaper {
    /// Returns a reaper that grants workers one `lease` to renew theirs after a pause, including
    /// the time before it starts.
    pub(crate) fn new(store: Store, lease: Duration, metrics: Metrics) -> LeaseReaper {
        let now = Instant::now();
        LeaseReaper {
            store,
            metrics,
            lease,
            last_look: now,
            has_failed: false,
            wait_until: now + lease,
            clock: ClockWatch::default(),
            // The clock may have been set while no scheduler ran.
            must_clamp: true,
        }
    }

    /// Ends the jobs of workers whose lease has ended, and returns their number. After a pause of
    /// this process or of Redis it waits for one lease first: the workers could not renew theirs
    /// either. So it does when the clock of Redis was set.
    async fn once(&mut self) -> Result<u64, StoreError> {
        let now = Instant::now();
        let (ended, step) = self.look().await.inspect_err(|_| self.has_failed = true)?;
        let has_paused = now.duration_since(self.last_look) > Self::PERIOD * 3;
        if std::mem::take(&mut self.has_failed) || has_paused || self.is_set(step) {
            self.wait_until = now + self.lease;
        }
        if self.must_clamp {
            self.store.clamp_times(self.lease).await?;
            self.must_clamp = false;
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

    /// Returns the workers whose lease has ended, and what the clock did until these were read.
    /// Fails if Redis accepts no writes: then no worker can renew its lease.
    async fn look(&mut self) -> Result<(Vec<WorkerId>, ClockStep), StoreError> {
        self.store.check_writes().await?;
        let ended = self.store.ended_leases().await?;
        let asked_at = Instant::now();
        let time = self.store.now().await?;
        let reading = Reading { asked_at, answered_at: Instant::now(), time };
        Ok((ended, self.clock.step(reading)))
    }

    /// Returns true if the clock was set by so much that leases of live workers may seem to have
    /// ended, or those of dead workers may seem valid.
    fn is_set(&mut self, step: ClockStep) -> bool {
        let (direction, by) = match step {
            ClockStep::None => return false,
            ClockStep::Forward(by) => ("forward", by),
            ClockStep::Back(by) => ("back", by),
        };
        if by <= self.lease / 2 {
            return false;
        }
        self.metrics.clock_steps.inc();
        let by_ms = by.as_millis() as u64;
        tracing::warn!(direction, by_ms, "the clock of redis was set, leases get one more period");
        self.must_clamp |= matches!(step, ClockStep::Back(_));
        true
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
