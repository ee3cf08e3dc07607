//! Outbox to RabbitMQ. An entry is removed only after the broker has confirmed its offer; what is cut in
//! between is published again, by this relay or another, and the second offer is refused at the claim.

mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerError, MAX_OFFER_JOBS, Offer, Publisher};
use domain::queue::QueueName;
use store::{Entry, Outbox, Ready, Store};
use tokio_util::sync::CancellationToken;

use crate::{Meters, Service};
use refused::{Refused, Verdict};

/// How many entries one round takes: enough to fill large offers, little enough to hold in memory.
const ROUND: usize = 2048;
/// Into how many offers a round splits the jobs of one queue, so that few jobs spread over many workers and
/// many jobs travel together.
const SPREAD: usize = 32;
/// An entry that a relay has had for so long without removing it is taken over.
const LEFT_BEHIND: Duration = Duration::from_secs(10);
/// A relay unseen for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// One relay, and the entries it has in hand; it outlives its connections to the broker.
pub struct Relay {
    store: Store,
    outbox: Outbox,
    in_hand: Vec<Entry>,
    refused: Refused,
    looked_behind: Instant,
    told: BTreeSet<QueueName>,
    meters: Meters,
}

impl Relay {
    /// A relay of this outbox.
    #[must_use]
    pub fn new(store: Store, outbox: Outbox, meters: Meters) -> Relay {
        Relay {
            store,
            outbox,
            in_hand: Vec::new(),
            refused: Refused::default(),
            looked_behind: Instant::now(),
            told: BTreeSet::new(),
            meters,
        }
    }

    /// One round: takes entries, publishes them, removes them. Waits up to `wait` for the first.
    /// Returns how many jobs were offered. After an error the entries stay in hand, for a new publisher.
    pub async fn once(
        &mut self,
        publisher: &mut Publisher,
        wait: Duration,
    ) -> anyhow::Result<usize> {
        if self.in_hand.is_empty() && self.looked_behind.elapsed() > LEFT_BEHIND / 2 {
            self.in_hand = self.outbox.left_behind(ROUND, LEFT_BEHIND).await?;
            self.outbox.forget_dead_relays(FORGOTTEN).await?;
            self.looked_behind = Instant::now();
        }
        if self.in_hand.is_empty() {
            self.in_hand = self.outbox.fresh(ROUND, wait).await?;
        }
        let mut offers = offers_of(&self.in_hand);
        let now = Instant::now();
        offers.retain(|(queue, _)| !self.refused.is_left_alone(queue, now));
        let failed = publisher.publish(&offers).await?;
        let retry = self.judge(&offers, &failed);
        for (queue, error) in failed.iter().filter(|(queue, _)| !retry.contains(*queue)) {
            if matches!(error, BrokerError::NotTaken(_)) {
                mend(publisher.broker(), queue).await;
            }
        }
        // A queue that takes nothing now may hold what it took earlier: it must be consumed all the same.
        let is_made = |queue: &QueueName| {
            failed.get(queue).is_none_or(|error| matches!(error, BrokerError::NotTaken(_)))
        };
        let made = offers.iter().map(|(queue, _)| queue).filter(|queue| is_made(queue)).cloned();
        self.tell_of_new_queues(made.collect()).await?;
        offers.retain(|(queue, _)| !failed.contains_key(queue));
        let over =
            |entry: &&Entry| !entry.ready.as_ref().is_some_and(|of| retry.contains(&of.queue));
        self.outbox.remove(self.in_hand.iter().filter(over)).await?;
        self.in_hand.retain(|entry| !over(&entry));
        let jobs = offers.iter().map(|(_, offer)| offer.jobs.len()).sum::<usize>();
        self.meters.offers.inc_by(offers.len() as u64);
        self.meters.offered_jobs.inc_by(jobs as u64);
        anyhow::ensure!(publisher.broker().is_connected(), "rabbitmq has gone away");
        Ok(jobs)
    }

    /// Remembers who refused; returns the queues to try again at once. What the others were offered is let go:
    /// their jobs wait on, and are offered again when the reaper finds them.
    fn judge(
        &mut self,
        offers: &[(QueueName, Offer)],
        failed: &BTreeMap<QueueName, BrokerError>,
    ) -> BTreeSet<QueueName> {
        let mut retry = BTreeSet::new();
        for (queue, _) in offers.iter().filter(|(queue, _)| !failed.contains_key(queue)) {
            self.refused.taken(queue);
        }
        for (queue, error) in failed {
            self.told.remove(queue);
            match self.refused.refused(queue, Instant::now()) {
                Verdict::Retry => drop(retry.insert(queue.clone())),
                Verdict::LetGo(alone) => {
                    self.meters.refused_queues.inc();
                    let seconds = alone.as_secs();
                    tracing::error!(%queue, %error, seconds, "rabbitmq refuses a queue, its jobs wait");
                }
            }
        }
        retry
    }

    async fn tell_of_new_queues(&mut self, made: BTreeSet<QueueName>) -> anyhow::Result<()> {
        let new: Vec<QueueName> = made.difference(&self.told).cloned().collect();
        if !new.is_empty() {
            self.store.queues_declared(&new).await?;
            self.told.extend(new);
        }
        Ok(())
    }
}

/// Has a queue that refuses offers made anew if it is broken.
async fn mend(broker: &Broker, queue: &QueueName) {
    match broker.discard_broken(queue).await {
        Ok(true) => tracing::warn!(%queue, "a queue was broken, it is made anew"),
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(%queue, %error, "a queue that may be broken cannot be deleted");
        }
    }
}

/// Groups ready jobs by queue into offers, in the order in which they became ready.
fn offers_of(entries: &[Entry]) -> Vec<(QueueName, Offer)> {
    let mut queues: BTreeMap<QueueName, Vec<&Ready>> = BTreeMap::new();
    for ready in entries.iter().filter_map(|entry| entry.ready.as_ref()) {
        queues.entry(ready.queue.clone()).or_default().push(ready);
    }
    let mut offers = Vec::new();
    for (queue, jobs) in queues {
        let size = jobs.len().div_ceil(SPREAD).clamp(1, MAX_OFFER_JOBS);
        for some in jobs.chunks(size) {
            let first = some.iter().map(|ready| ready.scheduled_at).min();
            let ids = some.iter().map(|ready| ready.id).collect();
            offers.extend(first.map(|at| (queue.clone(), Offer::new(at, ids))));
        }
    }
    offers
}

/// Runs the relay until shutdown: connects, goes round, and after any error starts over.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) -> anyhow::Result<()> {
    let outbox = Outbox::new(service.store.clone(), service.name.clone())?;
    let mut relay = Relay::new(service.store.clone(), outbox, service.meters.clone());
    let mut quiet = false;
    while !shutdown.is_cancelled() {
        let connected = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            connected = connect(&service, &mut relay) => connected,
        };
        let mut publisher = match connected {
            Ok(publisher) => publisher,
            Err(error) => {
                service.health.trouble("relay", &error);
                if !std::mem::replace(&mut quiet, true) {
                    tracing::warn!(%error, "relay: waiting for rabbitmq and redis");
                }
                pause(&shutdown).await;
                continue;
            }
        };
        quiet = false;
        tracing::info!("relay: connected");
        let error = go_round(&service, &mut relay, &mut publisher, &shutdown).await;
        if let Some(error) = error {
            service.health.trouble("relay", &error);
            tracing::warn!(%error, "relay: starting over");
            pause(&shutdown).await;
        }
        publisher.broker().close().await;
    }
    Ok(())
}

async fn go_round(
    service: &Service,
    relay: &mut Relay,
    publisher: &mut Publisher,
    shutdown: &CancellationToken,
) -> Option<anyhow::Error> {
    loop {
        // A round is not cut in the middle: what it has published it removes.
        match relay.once(publisher, Duration::from_secs(1)).await {
            Ok(_) => service.health.progress("relay"),
            Err(error) => return Some(error),
        }
        if shutdown.is_cancelled() {
            return None;
        }
    }
}

async fn connect(service: &Service, relay: &mut Relay) -> anyhow::Result<Publisher> {
    relay.outbox.make_group().await?;
    relay.in_hand = relay.outbox.mine(ROUND).await?;
    let name = format!("capstan-scheduler {} relay", service.name);
    let namespace = &service.config.store.namespace;
    let broker = Broker::connect(&service.config.broker.load()?, namespace, &name).await?;
    // Another connection may be to another broker, that has lost the queues.
    relay.told.clear();
    Ok(Publisher::new(broker).await?)
}

async fn pause(shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(Duration::from_millis(500)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::{JobId, Timestamp};

    fn entries(class: &str, count: usize) -> Vec<Entry> {
        let entry = |index: usize| Entry {
            place: format!("{index}-0"),
            ready: Some(Ready {
                id: JobId::random(),
                queue: format!("{class}.normal").parse().unwrap(),
                scheduled_at: Timestamp::from_ms(1_000 + index as i64),
            }),
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn few_jobs_spread_and_many_travel_together() {
        for (jobs, offers, largest) in [(1, 1, 1), (32, 32, 1), (33, 17, 2), (2048, 32, 64)] {
            let made = offers_of(&entries("scan=1", jobs));
            assert_eq!(made.len(), offers, "{jobs} jobs");
            assert_eq!(made.iter().map(|(_, offer)| offer.jobs.len()).max(), Some(largest));
        }
    }

    #[test]
    fn offers_keep_the_order_and_never_mix_queues() {
        let mut all = entries("scan=1", 100);
        all.extend(entries("cpu=2", 70));
        all.push(Entry { place: "x".into(), ready: None });
        let made = offers_of(&all);
        for class in ["cpu=2", "scan=1"] {
            let of_class = made.iter().filter(|(queue, _)| queue.class.as_str() == class);
            let ids: Vec<JobId> = of_class.flat_map(|(_, offer)| offer.jobs.clone()).collect();
            let ready = all.iter().filter_map(|entry| entry.ready.as_ref());
            let wanted: Vec<JobId> = ready
                .filter(|ready| ready.queue.class.as_str() == class)
                .map(|ready| ready.id)
                .collect();
            assert_eq!(ids, wanted);
        }
        assert!(offers_of(&[]).is_empty());
    }
}
