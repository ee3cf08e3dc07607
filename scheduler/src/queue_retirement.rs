//! Retires queues that are not used any more: takes them out of use in the store, then deletes them
//! in RabbitMQ. When a scheduler dies in between, the next pass of another one completes it. If a
//! job is offered at the wrong moment, its offer is lost with the queue and found again.

use std::time::Duration;

use broker::Broker;
use store::Store;

use crate::resources::Resources;
use crate::runner::{Pass, Task};

/// How long no job was offered through a queue before it is retired.
const UNUSED: Duration = Duration::from_secs(600);

/// Retires unused queues.
pub(crate) struct QueueRetirement {
    resources: Resources,
}

impl QueueRetirement {
    pub(crate) fn new(resources: Resources) -> QueueRetirement {
        QueueRetirement { resources }
    }

    async fn once(&self) -> anyhow::Result<u64> {
        let store = &self.resources.store;
        take_out_of_use(store, UNUSED).await?;
        if store.retired_queues().await?.is_empty() {
            return Ok(0);
        }
        let broker = self.resources.connect_broker("queue retirement").await?;
        let deleted = delete_retired_queues(store, &broker).await;
        broker.close().await;
        deleted
    }
}

impl Task for QueueRetirement {
    const NAME: &'static str = "queues";
    const PERIOD: Duration = Duration::from_secs(10);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        // A broker that does not answer must not delay shutdown.
        let shutdown = &self.resources.shutdown;
        let Some(deleted) = shutdown.run_until_cancelled(self.once()).await else {
            return Ok(Pass::default());
        };
        let deleted = deleted?;
        if deleted > 0 {
            tracing::info!(count = deleted, "deleted queues that were not used any more");
        }
        Ok(Pass::default())
    }
}

/// Retires every queue that was not used for `unused`, and returns how many were deleted in
/// RabbitMQ.
pub async fn retire_unused_queues(
    store: &Store,
    broker: &Broker,
    unused: Duration,
) -> anyhow::Result<u64> {
    take_out_of_use(store, unused).await?;
    delete_retired_queues(store, broker).await
}

async fn take_out_of_use(store: &Store, unused: Duration) -> anyhow::Result<()> {
    for queue in store.queue_names().await? {
        store.retire_queue(&queue, unused).await?;
    }
    Ok(())
}

async fn delete_retired_queues(store: &Store, broker: &Broker) -> anyhow::Result<u64> {
    let mut deleted = 0;
    for queue in store.retired_queues().await? {
        broker.delete(&queue).await?;
        // A relay may have created and announced it again for an outdated offer before it was
        // forgotten. What is in RabbitMQ and not announced would stay there.
        if store.forget_queue(&queue).await? {
            broker.delete(&queue).await?;
        }
        deleted += 1;
    }
    Ok(deleted)
}
