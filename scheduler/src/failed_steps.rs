//! Logs which steps of scripts failed because a record cannot be read, if no caller waited for
//! them. The scripts carry out the steps about other records.

use std::time::Duration;

use store::Store;

use crate::metrics::Metrics;
use crate::runner::{Pass, Task};

/// Logs and counts the steps of scripts that failed because a record cannot be read.
pub(crate) struct FailedSteps {
    store: Store,
    metrics: Metrics,
}

impl FailedSteps {
    pub(crate) fn new(store: Store, metrics: Metrics) -> FailedSteps {
        FailedSteps { store, metrics }
    }
}

impl Task for FailedSteps {
    const NAME: &'static str = "failed steps";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let failures = self.store.take_failures().await?;
        self.metrics.failed_steps.inc_by(failures.len() as u64);
        for failure in failures {
            tracing::error!(failure, "a record cannot be read, so a step was left out");
        }
        Ok(Pass::default())
    }
}
