//! Finds jobs whose offers the broker has lost, and offers them again. Deletes queues that hang.

use std::collections::BTreeMap;
use std::time::Duration;

use broker::Broker;
use domain::queue::QueueName;
use store::{Redispatch, Redispatched, Store};

use crate::resources::Resources;
use crate::runner::{Pass, Task};

/// If the queue in the broker is empty, a job that was offered this long ago has lost its offer.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// If the queue is not empty, a job that was offered this long before the newest claimed job of the
/// queue has lost its offer: a queue keeps its order, except for offers that workers return.
const BEHIND: Duration = Duration::from_secs(30);

/// A queue hangs if it fails to answer within 10 s this many times in a row while another queue
/// answers.
const HANGS_AFTER: u32 = 3;

/// Finds lost offers. It keeps its connection to the broker.
pub(crate) struct LostOffers {
    resources: Resources,
    broker: Option<Broker>,
    /// The number of times in a row that each of these queues did not answer.
    silent: BTreeMap<QueueName, u32>,
}

/// The result of a look at all queues.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundOffers {
    /// The number of jobs that were offered again.
    pub jobs: u64,
    /// The queues that did not answer in time, although another did.
    pub silent: Vec<QueueName>,
}

impl LostOffers {
    pub(crate) fn new(resources: Resources) -> LostOffers {
        LostOffers { resources, broker: None, silent: BTreeMap::new() }
    }

    async fn once(&mut self) -> anyhow::Result<FoundOffers> {
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

    /// Counts the times that queues did not answer, and returns those that hang. If RabbitMQ 3.10 is
    /// killed, a queue may afterwards neither confirm offers nor answer a read.
    fn hanging(&mut self, found: &FoundOffers) -> Vec<QueueName> {
        self.silent.retain(|queue, _| found.silent.contains(queue));
        let mut hangs = |queue: &QueueName| {
            let times = self.silent.entry(queue.clone()).or_default();
            *times += 1;
            if *times == 1 {
                tracing::warn!(%queue, "a queue does not answer");
            }
            *times >= HANGS_AFTER
        };
        found.silent.iter().filter(|queue| hangs(queue)).cloned().collect()
    }

    /// Deletes a queue that hangs, so that it is created again. It held only offers.
    async fn delete_hanging(&mut self, queue: &QueueName) {
        let Some(broker) = &self.broker else { return };
        match broker.delete(queue).await {
            Ok(()) => tracing::warn!(%queue, "deleted a queue that hangs to create it again"),
            Err(error) => tracing::warn!(%queue, %error, "cannot delete a queue that hangs"),
        }
        self.silent.remove(queue);
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
        self.resources.metrics.redispatched_jobs.inc_by(found.jobs);
        if found.jobs > 0 {
            tracing::info!(count = found.jobs, "offered jobs again whose offers were lost");
        }
        for queue in self.hanging(&found) {
            self.delete_hanging(&queue).await;
        }
        if !found.silent.is_empty() {
            // Its channels are still waiting for the silent queues.
            self.broker = None;
        }
        Ok(Pass::default())
    }

    async fn close(self) {
        if let Some(broker) = self.broker {
            broker.close().await;
        }
    }
}

/// Offers jobs again whose offers were lost. Announces queues with jobs whose announcement was lost.
/// A job counts if it was offered at least `age` ago and its queue in the broker is empty, or
/// `behind` before the newest claimed job of its queue.
pub async fn find_lost_offers(
    store: &Store,
    broker: &Broker,
    age: Duration,
    behind: Duration,
) -> anyhow::Result<FoundOffers> {
    let (mut found, mut failed) = (FoundOffers::default(), None::<anyhow::Error>);
    let (mut answered, mut timeout) = (false, None);
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
            Err(error) if error.is_timeout() && broker.is_connected() => {
                found.silent.push(queue.name);
                timeout = Some(error);
                continue;
            }
            Err(error) => {
                failed = failed.or(Some(error.into()));
                continue;
            }
        };
        answered = true;
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
            found.jobs += some.offered;
            if some == Redispatched::default() {
                break;
            }
            if some.removed > 0 {
                tracing::warn!(queue = %lost.queue, count = some.removed, "removed stale offers");
            }
        }
    }
    if let Some(error) = timeout.filter(|_| !answered) {
        let other = announced.iter().find(|queue| !found.silent.contains(queue));
        let answers = match other {
            Some(other) => broker.is_empty(other).await.is_ok(),
            None => false,
        };
        // If no queue answers, RabbitMQ is overloaded, or its cluster has lost its majority.
        if !answers {
            return Err(error.into());
        }
    }
    match failed {
        Some(error) if found.jobs == 0 => Err(error),
        _ => Ok(found),
    }
}
