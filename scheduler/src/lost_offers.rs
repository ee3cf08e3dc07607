//! Finds jobs whose offers the broker has lost, and offers them again.

use std::time::Duration;

use broker::Broker;
use store::{Redispatch, Redispatched, Store};

use crate::resources::Resources;
use crate::runner::{Pass, Task};

/// If the queue in the broker is empty, a job that was offered this long ago has lost its offer.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// If the queue is not empty, a job that was offered this long before the newest claimed job of the
/// queue has lost its offer: a queue keeps its order, except for offers that workers return.
const BEHIND: Duration = Duration::from_secs(30);

/// Finds lost offers. It keeps its connection to the broker.
pub(crate) struct LostOffers {
    resources: Resources,
    broker: Option<Broker>,
}

impl LostOffers {
    pub(crate) fn new(resources: Resources) -> LostOffers {
        LostOffers { resources, broker: None }
    }

    async fn once(&mut self) -> anyhow::Result<u64> {
        let broker = match self.broker.take().filter(Broker::is_connected) {
            Some(broker) => broker,
            None => self.resources.connect_broker("lost offers").await?,
        };
        let broker = self.broker.insert(broker);
        let found = find_lost_offers(&self.resources.store, broker, LOST_AFTER, BEHIND).await;
        if found.is_err() {
            self.broker = None;
        }
        found
    }
}

impl Task for LostOffers {
    const NAME: &'static str = "offers";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        // A broker that does not answer must not delay shutdown.
        let shutdown = self.resources.shutdown.clone();
        let Some(found) = shutdown.run_until_cancelled(self.once()).await else {
            return Ok(Pass::default());
        };
        let found = found?;
        self.resources.metrics.redispatched_jobs.inc_by(found);
        if found > 0 {
            tracing::info!(count = found, "offered jobs again whose offers were lost");
        }
        Ok(Pass::default())
    }

    async fn close(self) {
        if let Some(broker) = self.broker {
            broker.close().await;
        }
    }
}

/// Offers jobs again whose offers were lost, and returns their number. Announces queues with jobs
/// whose announcement was lost. A job counts if it was
/// offered at least `age` ago and its queue in the broker is empty, or `behind` before the newest
/// claimed job of its queue.
pub async fn find_lost_offers(
    store: &Store,
    broker: &Broker,
    age: Duration,
    behind: Duration,
) -> anyhow::Result<u64> {
    let (mut count, mut failed) = (0, None::<anyhow::Error>);
    let queues = store.ready_queues().await?;
    let announced = store.declared_queues().await?;
    for queue in queues {
        let mut is_announced = announced.contains(&queue.name);
        // A queue that fails must not hide lost offers of the others.
        let behind = match broker.is_empty(&queue.name).await {
            Ok(Some(true)) => None,
            Ok(Some(false)) => Some(behind),
            // Offers for a queue that cannot be created would be returned.
            Ok(None) => {
                let failures = broker.declare(&[queue.name.clone()].into()).await;
                if let Some(error) = failures.into_values().next() {
                    failed = failed.or(Some(error.into()));
                    continue;
                }
                // It may have been retired since the announced ones were read.
                is_announced = false;
                None
            }
            Err(error) => {
                failed = failed.or(Some(error.into()));
                continue;
            }
        };
        // The announcement is lost when a queue is declared again while it is retired.
        if !is_announced {
            store.queues_declared(std::slice::from_ref(&queue.name)).await?;
        }
        let lost = Redispatch { queue: queue.name, age, behind };
        loop {
            let some = match store.redispatch(&lost).await {
                Ok(some) => some,
                Err(error) => {
                    failed = failed.or(Some(error.into()));
                    break;
                }
            };
            count += some.offered;
            if some == Redispatched::default() {
                break;
            }
            if some.removed > 0 {
                tracing::warn!(queue = %lost.queue, count = some.removed, "removed stale offers");
            }
        }
    }
    match failed {
        Some(error) if count == 0 => Err(error),
        _ => Ok(count),
    }
}
