//! Removes jobs that the settings do not keep from the history.

use std::time::Duration;

use store::{ErrorClass, Store, Sweep, Trimmed};

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// The pause between two steps, during which Redis serves others.
const STEP_PAUSE: Duration = Duration::from_millis(20);

/// Trims the history, one step per pass.
pub(crate) struct HistoryTrimmer {
    store: Store,
    metrics: Metrics,
    sweep: Sweep,
}

impl HistoryTrimmer {
    pub(crate) fn new(store: Store, metrics: Metrics) -> HistoryTrimmer {
        HistoryTrimmer { store, metrics, sweep: Sweep::default() }
    }
}

impl Task for HistoryTrimmer {
    const NAME: &'static str = "history";
    const PERIOD: Duration = Duration::from_secs(5);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let settings = match self.store.settings().await {
            Ok(settings) => settings,
            // Defaults could remove what the settings keep.
            Err(error) if error.class() == ErrorClass::Unreadable => {
                return Ok(Pass { unreadable: vec![error.to_string()], ..Pass::default() });
            }
            Err(error) => return Err(error.into()),
        };
        let trimmed = self.store.trim(&settings, &mut self.sweep).await?;
        self.metrics.trimmed_jobs.inc_by(trimmed.jobs);
        let has_more = trimmed != Trimmed::default();
        Ok(Pass { next: has_more.then_some(STEP_PAUSE), ..Pass::default() })
    }
}
