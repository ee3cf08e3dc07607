//! Gives calendar limits the ends of their next windows, because Redis knows no time zones.

use std::time::Duration;

use store::Store;

use crate::runner::{Pass, Task};

/// Renews the windows of calendar limits.
pub(crate) struct LimitWindows {
    store: Store,
}

impl LimitWindows {
    pub(crate) fn new(store: Store) -> LimitWindows {
        LimitWindows { store }
    }
}

impl Task for LimitWindows {
    const NAME: &'static str = "limit windows";
    /// Limits have the ends of many windows, so nothing is late.
    const PERIOD: Duration = Duration::from_secs(10);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let renewed = self.store.renew_windows().await?;
        if renewed > 0 {
            tracing::debug!(renewed, "windows of rate limits renewed");
        }
        Ok(Pass::default())
    }
}
