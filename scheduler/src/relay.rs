//! Publishes the outbox to RabbitMQ. An entry is removed after the broker has confirmed its offer,
//! or has refused it twice in a row; the lost-offers task then finds the job. If a relay dies in
//! between, another publishes the entry again, and the claim refuses the second offer.

mod offers;
mod rejections;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerError, CALL_LIMIT, Offer, Publisher};
use domain::queue::QueueName;
use store::{BrokerLink, Outbox, OutboxEntry};

use crate::resources::Resources;
use crate::runner::{Pass, Task};
use offers::{JobCounts, group_by_queue};
use rejections::{Decision, Rejections};

/// The most entries that one pass takes, of up to 64 jobs each: enough to fill large offers, few
/// enough to keep in memory.
const MAX_ENTRIES: usize = 512;
/// The time that a pass waits for the first entry.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// The time after which published entries are removed, so that one call removes those of several
/// passes.
const REMOVE_AFTER: Duration = Duration::from_millis(20);
/// An entry that a relay has read and not removed for this long is taken over.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(10);
/// A relay that has been idle for this long is removed from the group.
const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// The time that a queue has to confirm offers after a pause.
const LIMIT_AFTER_PAUSE: Duration = Duration::from_secs(1);

/// Publishes the outbox. Several relays share the entries.
pub(crate) struct Relay {
    resources: Resources,
    outbox: Outbox,
    publisher: Option<Publisher>,
    /// Entries that this relay has read and not removed. They outlive the connection to the broker.
    pending: Vec<OutboxEntry>,
    /// The ids of entries that are published and not removed yet.
    published: Vec<String>,
    last_removal: Instant,
    rejections: Rejections,
    last_take_over: Instant,
    counts: JobCounts,
    /// Queues that the store knows to be declared on this connection.
    announced: BTreeSet<QueueName>,
}

impl Relay {
    pub(crate) fn new(resources: Resources) -> anyhow::Result<Relay> {
        let outbox = Outbox::new(resources.store.clone(), resources.id.clone())?;
        Ok(Relay {
            resources,
            outbox,
            publisher: None,
            pending: Vec::new(),
            published: Vec::new(),
            last_removal: Instant::now(),
            rejections: Rejections::default(),
            last_take_over: Instant::now(),
            counts: JobCounts::new(Instant::now()),
            announced: BTreeSet::new(),
        })
    }

    async fn connect(&mut self) -> anyhow::Result<Publisher> {
        self.outbox.create_group().await?;
        self.remove_published().await?;
        self.pending = self.outbox.read_own(MAX_ENTRIES).await?;
        let connected = self.resources.connect_broker("relay").await;
        let link = &self.resources.broker_link;
        let broker =
            connected.inspect_err(|error| link.set(BrokerLink::Down(error.to_string())))?;
        // The new connection may lead to a broker that has lost the queues.
        self.announced.clear();
        Ok(Publisher::new(broker).await?)
    }

    /// Reads entries, publishes their jobs and removes them. After an error the entries stay
    /// pending for the next publisher.
    async fn once(&mut self, publisher: &mut Publisher) -> anyhow::Result<()> {
        self.read_entries().await?;
        let now = Instant::now();
        if self.counts.is_over(now) {
            self.counts.begin(now, self.resources.store.live_worker_count().await?);
        }
        let mut offers = group_by_queue(&self.pending, &mut self.counts);
        offers.retain(|(queue, _)| !self.rejections.is_paused(queue, now));
        let (failed, untried) = self.publish(publisher, &offers).await?;
        offers.retain(|(queue, _)| !untried.contains(queue));
        let mut retry = self.record_outcomes(&offers, &failed);
        for (queue, error) in failed.iter().filter(|(queue, _)| !retry.contains(*queue)) {
            if is_not_accepted(error) {
                repair(publisher.broker(), queue).await;
            }
        }
        // A queue that accepts nothing now may hold earlier offers, so workers must consume from
        // it.
        let exists = |queue: &QueueName| failed.get(queue).is_none_or(was_published);
        let existing = offers.iter().map(|(queue, _)| queue).filter(|queue| exists(queue));
        self.announce_queues(existing.cloned().collect()).await?;
        offers.retain(|(queue, _)| !failed.contains_key(queue));
        retry.extend(untried);
        self.remove_entries(&retry).await?;
        let jobs = offers.iter().map(|(_, offer)| offer.jobs.len()).sum::<usize>();
        self.resources.metrics.offers.inc_by(offers.len() as u64);
        self.resources.metrics.offered_jobs.inc_by(jobs as u64);
        anyhow::ensure!(publisher.broker().is_connected(), "the connection to rabbitmq is gone");
        anyhow::ensure!(publisher.is_usable(), "rabbitmq did not confirm offers in time");
        Ok(())
    }

    /// Publishes offers. Returns the queues that failed, and those that were not tried because one
    /// before them confirmed nothing, which can hold up every later offer of the connection. So
    /// those that failed before come last, one at a time. A queue that was paused has less time to
    /// confirm.
    async fn publish(
        &self,
        publisher: &mut Publisher,
        offers: &[(QueueName, Offer)],
    ) -> Result<(BTreeMap<QueueName, BrokerError>, BTreeSet<QueueName>), BrokerError> {
        let is_suspect = |(queue, _): &(QueueName, Offer)| self.rejections.is_suspect(queue);
        let (suspects, others): (Vec<_>, Vec<_>) = offers.iter().cloned().partition(is_suspect);
        let mut failed = publisher.publish(&others, CALL_LIMIT).await?;
        let mut untried = BTreeSet::new();
        for offers in suspects.chunk_by(|(one, _), (next, _)| one == next) {
            let queue = &offers[0].0;
            if publisher.is_usable() {
                let was_paused = self.rejections.was_paused(queue);
                let limit = if was_paused { LIMIT_AFTER_PAUSE } else { CALL_LIMIT };
                failed.extend(publisher.publish(offers, limit).await?);
            } else {
                untried.insert(queue.clone());
            }
        }
        Ok((failed, untried))
    }

    async fn read_entries(&mut self) -> anyhow::Result<()> {
        if self.pending.is_empty() && self.last_take_over.elapsed() > TAKE_OVER_AFTER / 2 {
            self.pending = self.outbox.take_over(MAX_ENTRIES, TAKE_OVER_AFTER).await?;
            self.outbox.forget_dead_relays(FORGET_AFTER).await?;
            self.last_take_over = Instant::now();
        }
        if self.pending.is_empty() {
            let wait = if self.published.is_empty() { MAX_WAIT } else { REMOVE_AFTER };
            self.pending = self.outbox.read_new(MAX_ENTRIES, wait).await?;
        }
        Ok(())
    }

    /// Records which queues accepted their offers. Returns those to try again at once. The offers
    /// of the other failed queues are dropped; their jobs wait until they are found and offered
    /// again.
    fn record_outcomes(
        &mut self,
        offers: &[(QueueName, Offer)],
        failed: &BTreeMap<QueueName, BrokerError>,
    ) -> BTreeSet<QueueName> {
        let mut retry = BTreeSet::new();
        for (queue, _) in offers.iter().filter(|(queue, _)| !failed.contains_key(queue)) {
            self.rejections.accepted(queue);
        }
        for (queue, error) in failed {
            self.announced.remove(queue);
            match self.rejections.rejected(queue, Instant::now()) {
                Decision::Retry => drop(retry.insert(queue.clone())),
                Decision::Pause(pause) => {
                    self.resources.metrics.refused_queues.inc();
                    let pause_s = pause.as_secs();
                    tracing::error!(%queue, %error, pause_s, "rabbitmq refuses a queue, its jobs wait");
                }
            }
        }
        retry
    }

    /// Records in the store which queues exist, so that workers consume from them.
    async fn announce_queues(&mut self, existing: BTreeSet<QueueName>) -> anyhow::Result<()> {
        let new: Vec<QueueName> = existing.difference(&self.announced).cloned().collect();
        if !new.is_empty() {
            self.resources.store.queues_declared(&new).await?;
            self.announced.extend(new);
        }
        Ok(())
    }

    /// Leaves only the entries of queues to try again pending. Removes the others after a while, or
    /// when no more entries come.
    async fn remove_entries(&mut self, retry: &BTreeSet<QueueName>) -> anyhow::Result<()> {
        let is_done =
            |entry: &mut OutboxEntry| !entry.queue().is_some_and(|queue| retry.contains(queue));
        let done: Vec<OutboxEntry> = self.pending.extract_if(.., is_done).collect();
        let is_idle = done.is_empty();
        self.published.extend(done.into_iter().map(|entry| entry.id));
        let is_late = self.last_removal.elapsed() >= REMOVE_AFTER;
        if is_idle || is_late || self.published.len() >= MAX_ENTRIES {
            self.remove_published().await?;
        }
        Ok(())
    }

    async fn remove_published(&mut self) -> anyhow::Result<()> {
        self.outbox.remove(&self.published).await?;
        self.published.clear();
        self.last_removal = Instant::now();
        Ok(())
    }
}

impl Task for Relay {
    const NAME: &'static str = "relay";
    const PERIOD: Duration = Duration::from_millis(100);

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let mut publisher = match self.publisher.take() {
            Some(publisher) => publisher,
            None => {
                // A broker that does not answer must not delay shutdown.
                let shutdown = self.resources.shutdown.clone();
                let Some(connected) = shutdown.run_until_cancelled(self.connect()).await else {
                    return Ok(Pass::default());
                };
                let publisher = connected?;
                tracing::info!("relay connected to rabbitmq");
                publisher
            }
        };
        self.resources.broker_link.set(link_of(publisher.broker()));
        let outcome = self.once(&mut publisher).await;
        if outcome.is_ok() {
            self.publisher = Some(publisher);
        } else {
            self.resources.broker_link.set(link_of(publisher.broker()));
            publisher.broker().close().await;
        }
        outcome.map(|()| Pass::again())
    }

    async fn close(mut self) {
        // Entries that stay are only published once more.
        let _ = self.remove_published().await;
        if let Some(publisher) = self.publisher {
            publisher.broker().close().await;
        }
    }
}

/// Returns whether a connection can publish.
fn link_of(broker: &Broker) -> BrokerLink {
    if broker.is_blocked() {
        return BrokerLink::Down(
            "rabbitmq accepts no messages, because its memory or its disk is nearly used up"
                .to_owned(),
        );
    }
    if broker.is_connected() {
        BrokerLink::Up
    } else {
        BrokerLink::Down("the connection to rabbitmq is gone".to_owned())
    }
}

/// Returns true if the queue has refused an offer. One that does not confirm in time has not: it may
/// only be overloaded.
fn is_not_accepted(error: &BrokerError) -> bool {
    matches!(error, BrokerError::NotAccepted(_))
}

/// Returns true if the queue exists and failed only to accept an offer.
fn was_published(error: &BrokerError) -> bool {
    matches!(error, BrokerError::NotAccepted(_) | BrokerError::NotConfirmed { .. })
}

/// Deletes a queue that refuses offers if it is broken, so that the next offer creates it again.
async fn repair(broker: &Broker, queue: &QueueName) {
    match broker.delete_if_broken(queue).await {
        Ok(true) => tracing::warn!(%queue, "deleted a broken queue to create it again"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%queue, %error, "cannot repair a queue that may be broken"),
    }
}
