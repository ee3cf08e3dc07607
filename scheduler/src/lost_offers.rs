//! Finds jobs whose offers the broker has lost, and offers them again. Deletes queues that hang.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use broker::Broker;
use domain::queue::QueueName;
use futures_util::{StreamExt, stream};
use store::{Redispatch, Redispatched, Store, StoreError};

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

/// The number of queues that are asked at the same time.
const CONCURRENT_READS: usize = 16;

/// Finds lost offers. It keeps its connection to the broker.
pub(crate) struct LostOffers {
    resources: Resources,
    broker: Option<Broker>,
    /// The queues that may hang, each with the number of times in a row that it did not answer.
    suspects: BTreeMap<QueueName, u32>,
}

/// The result of a look at all queues.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundOffers {
    /// The number of jobs that were offered again.
    pub jobs: u64,
    /// The queues that did not answer in time, although another did.
    pub silent: Vec<QueueName>,
    /// The queues that seemed empty although jobs had been offered.
    pub lost: BTreeSet<QueueName>,
}

impl LostOffers {
    pub(crate) fn new(resources: Resources) -> LostOffers {
        LostOffers { resources, broker: None, suspects: BTreeMap::new() }
    }

    async fn once(&mut self) -> anyhow::Result<FoundOffers> {
        let broker = match self.broker.take().filter(Broker::is_connected) {
            Some(broker) => broker,
            None => self.resources.connect_broker("lost offers").await?,
        };
        let broker = self.broker.insert(broker);
        let suspects = self.suspects.keys().cloned().collect();
        let search = Search { age: LOST_AFTER, behind: BEHIND, suspects };
        let found = find_lost_offers(&self.resources.store, broker, &search).await;
        if found.is_err() {
            self.broker = None;
        }
        found
    }

    /// Counts the times that queues did not answer, and returns those that hang. If RabbitMQ 3.10 is
    /// killed, a queue may afterwards confirm no offer, and either answer nothing or say that it is
    /// empty.
    fn hanging(&mut self, found: &FoundOffers) -> Vec<QueueName> {
        self.suspects.retain(|queue, _| found.silent.contains(queue));
        for queue in &found.lost {
            self.suspects.entry(queue.clone()).or_default();
        }
        let mut hangs = |queue: &QueueName| {
            let times = self.suspects.entry(queue.clone()).or_default();
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
        self.suspects.remove(queue);
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

/// What counts as a lost offer.
#[derive(Debug, Default)]
pub struct Search {
    /// If its queue in the broker is empty, a job that was offered this long ago.
    pub age: Duration,
    /// A job that was offered this long before the newest claimed job of its queue.
    pub behind: Duration,
    /// The queues that are read before they are taken for empty.
    pub suspects: BTreeSet<QueueName>,
}

/// Offers jobs again whose offers were lost. Announces queues with jobs whose announcement was lost.
pub async fn find_lost_offers(
    store: &Store,
    broker: &Broker,
    search: &Search,
) -> anyhow::Result<FoundOffers> {
    let (mut found, mut failed) = (FoundOffers::default(), None::<anyhow::Error>);
    let (mut answered, mut timeout) = (false, None);
    let queues = store.ready_queues().await?.into_iter().map(|queue| queue.name);
    let announced = store.declared_queues().await?;
    // A queue that does not answer must not delay the others.
    let asked = queues.map(async |queue| {
        let is_empty = broker.is_empty(&queue, search.suspects.contains(&queue)).await;
        (queue, is_empty)
    });
    let mut asked = pin!(stream::iter(asked).buffer_unordered(CONCURRENT_READS));
    while let Some((queue, is_empty)) = asked.next().await {
        let mut is_announced = announced.contains(&queue);
        // A queue that fails must not hide lost offers of the others.
        let behind = match is_empty {
            Ok(Some(true)) => None,
            Ok(Some(false)) => Some(search.behind),
            // Offers for a queue that cannot be created would be returned.
            Ok(None) => {
                let failures = broker.declare(&[queue.clone()].into()).await;
                if let Some(error) = failures.into_values().next() {
                    failed = failed.or(Some(error.into()));
                    continue;
                }
                // It may have been retired since the announced ones were read.
                is_announced = false;
                None
            }
            Err(error) if error.is_timeout() && broker.is_connected() => {
                found.silent.push(queue);
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
            store.queues_declared(std::slice::from_ref(&queue)).await?;
        }
        let lost = Redispatch { queue, age: search.age, behind };
        match redispatch(store, &lost).await {
            Ok(0) => {}
            Ok(jobs) => {
                found.jobs += jobs;
                if behind.is_none() {
                    found.lost.insert(lost.queue);
                }
            }
            Err(error) => failed = failed.or(Some(error.into())),
        }
    }
    if let Some(error) = timeout.filter(|_| !answered) {
        let other = announced.iter().find(|queue| !found.silent.contains(queue));
        // If no queue answers, RabbitMQ is overloaded, or its cluster has lost its majority.
        if !answers(broker, other).await {
            return Err(error.into());
        }
    }
    match failed {
        Some(error) if found.jobs == 0 => Err(error),
        _ => Ok(found),
    }
}

async fn answers(broker: &Broker, queue: Option<&QueueName>) -> bool {
    match queue {
        Some(queue) => broker.is_empty(queue, true).await.is_ok(),
        None => false,
    }
}

/// Offers the jobs of a queue again whose offers were lost. Returns their number.
async fn redispatch(store: &Store, lost: &Redispatch) -> Result<u64, StoreError> {
    let mut jobs = 0;
    loop {
        let some = store.redispatch(lost).await?;
        jobs += some.offered;
        if some == Redispatched::default() {
            return Ok(jobs);
        }
        if some.removed > 0 {
            tracing::warn!(queue = %lost.queue, count = some.removed, "removed stale offers");
        }
    }
}
