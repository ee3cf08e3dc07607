//! Fires crons that are due.

use std::time::Duration;

use domain::cron::due;
use store::{FireAnswer, Store, StoreError};

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// The most crons that one script call fires, because a script blocks Redis.
const MAX_PER_CALL: usize = 50;
/// The shortest wait until a cron that is due soon.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// Fires crons. Several of them share the work; if two fire the same tick, the store accepts the
/// first.
pub(crate) struct CronTicker {
    store: Store,
    metrics: Metrics,
}

impl CronTicker {
    pub(crate) fn new(store: Store, metrics: Metrics) -> CronTicker {
        CronTicker { store, metrics }
    }

    /// Fires all crons that are due. Returns the time until the next one, if it is known, and why
    /// others cannot be fired.
    async fn once(&self) -> Result<(Option<Duration>, Vec<String>), StoreError> {
        loop {
            let seen = self.store.due_crons(MAX_PER_CALL).await?;
            let mut unreadable = seen.unreadable;
            let crons = seen.crons.into_iter().map(|cron| {
                let due = cron.next_run.map(|first| due(&cron.spec, first, seen.now));
                (cron, due.unwrap_or_default())
            });
            let crons: Vec<_> = crons.collect();
            if crons.is_empty() {
                return Ok((seen.next, unreadable));
            }
            let mut progress = false;
            for ((cron, _), answer) in crons.iter().zip(self.store.fire(&crons).await?) {
                progress |= !matches!(answer, FireAnswer::Failed(_));
                match answer {
                    FireAnswer::Fired(created, _, skipped) => {
                        self.metrics.cron_jobs.inc_by(created);
                        self.metrics.skipped_ticks.inc_by(skipped);
                    }
                    FireAnswer::Failed(reason) => {
                        unreadable.push(format!("cron {}: {reason}", cron.name));
                    }
                    FireAnswer::Conflict | FireAnswer::Early => {}
                }
            }
            if !progress {
                return Ok((None, unreadable));
            }
        }
    }
}

impl Task for CronTicker {
    const NAME: &'static str = "crons";
    /// Crons that are created meanwhile may be due before the next known one.
    const PERIOD: Duration = Duration::from_millis(100);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let (next, unreadable) = self.once().await?;
        // A cron that cannot be read stays due, and must not cause passes without a pause.
        let next = next.filter(|_| unreadable.is_empty()).map(|next| next.max(MIN_WAIT));
        Ok(Pass { next, unreadable })
    }
}
