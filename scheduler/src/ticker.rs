//! Moves due jobs to the outbox.

use std::time::Duration;

use store::{Store, StoreError};

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// The shortest wait until a job that is due soon.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// Moves due jobs. Two tickers at once move each job once.
pub(crate) struct Ticker {
    store: Store,
    metrics: Metrics,
}

impl Ticker {
    pub(crate) fn new(store: Store, metrics: Metrics) -> Ticker {
        Ticker { store, metrics }
    }

    /// Moves all jobs that are due. Returns the time until the next one, if it is known.
    async fn once(&self) -> Result<Option<Duration>, StoreError> {
        loop {
            let due = self.store.due().await?;
            self.metrics.due_jobs.inc_by(due.moved);
            let has_more = due.moved > 0 && due.next.is_some_and(|next| next.is_zero());
            if !has_more {
                return Ok(due.next);
            }
        }
    }
}

impl Task for Ticker {
    const NAME: &'static str = "ticker";
    /// Jobs that are submitted meanwhile may be due before the next known one.
    const PERIOD: Duration = Duration::from_millis(100);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let next = self.once().await?;
        Ok(Pass { next: next.map(|next| next.max(MIN_WAIT)), ..Pass::default() })
    }
}
