//! Propagates the ends of jobs to their dependents, parents and children. A task of its own, so
//! that an end that cannot be propagated does not hold up due jobs.

use std::time::Duration;

use store::Store;

use crate::runner::{Pass, Task};

/// Propagates the ends of jobs. Two of them at once propagate each end once.
pub(crate) struct Propagation {
    store: Store,
}

impl Propagation {
    pub(crate) fn new(store: Store) -> Propagation {
        Propagation { store }
    }
}

impl Task for Propagation {
    const NAME: &'static str = "propagation";
    const PERIOD: Duration = Duration::from_millis(100);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let (_, left) = self.store.propagate().await?;
        Ok(if left > 0 { Pass::again() } else { Pass::default() })
    }
}
