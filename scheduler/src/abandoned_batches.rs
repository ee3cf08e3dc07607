//! Submits the rest of batches whose submitter died.

use std::time::Duration;

use store::Store;

use crate::runner::{Pass, Task};

/// A batch that was accepted this long ago and is not complete has lost its submitter.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// Submits the rest of abandoned batches.
pub(crate) struct AbandonedBatches {
    store: Store,
}

impl AbandonedBatches {
    pub(crate) fn new(store: Store) -> AbandonedBatches {
        AbandonedBatches { store }
    }
}

impl Task for AbandonedBatches {
    const NAME: &'static str = "batches";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let (count, unreadable) = self.store.finish_batches(ABANDONED_AFTER).await?;
        if count > 0 {
            tracing::info!(count, "submitted abandoned batches");
        }
        Ok(Pass { unreadable, ..Pass::default() })
    }
}
