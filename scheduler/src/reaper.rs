//! Ends the jobs of workers whose lease has ended, finds offers that the broker has lost, finishes batches whose
//! submitter has died, and removes history that is not kept.

use std::time::{Duration, Instant};

use broker::Broker;
use store::{Expired, Reoffer, Store, StoreError, Trimmed};
use tokio_util::sync::CancellationToken;

use crate::{Meters, Service};

const PERIOD: Duration = Duration::from_secs(1);
/// A job that was offered so long ago, while the broker's queue is empty, has lost its offer.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// A job that was offered so long before the last one of its queue that was claimed has lost its offer: a queue keeps
/// its order, but for what workers return.
const BEHIND: Duration = Duration::from_secs(30);
/// How often the history is trimmed.
const TRIM_PERIOD: Duration = Duration::from_secs(5);
/// Between two steps of it, so that it never holds up what runs.
const TRIM_PAUSE: Duration = Duration::from_millis(20);

/// One reaper. Remembers only when it last looked, so that its own absence is not held against the workers.
pub struct Reaper {
    store: Store,
    meters: Meters,
    lease: Duration,
    looked: Instant,
    away: bool,
    patient_until: Instant,
}

impl Reaper {
    /// A reaper of this store. `lease` is how long it lets workers come back after a pause of its own; it has
    /// just begun to look, so that pause is now.
    #[must_use]
    pub fn new(store: Store, lease: Duration, meters: Meters) -> Reaper {
        let now = Instant::now();
        Reaper { store, meters, lease, looked: now, away: false, patient_until: now + lease }
    }

    /// Ends leases that have ended. After a pause (of this process, or of Redis) it waits one whole lease
    /// first: the workers could not beat either.
    pub async fn expire(&mut self) -> Result<u64, StoreError> {
        let now = Instant::now();
        let ended = self.store.ended_leases().await.inspect_err(|_| self.away = true)?;
        if std::mem::take(&mut self.away) || now.duration_since(self.looked) > PERIOD * 3 {
            self.patient_until = now + self.lease;
        }
        self.looked = Instant::now();
        if now < self.patient_until {
            return Ok(0);
        }
        let mut expired = 0;
        for worker in ended {
            tracing::warn!(worker.id = %worker, "a worker's lease has ended");
            while let Expired::Ended(some, left) = self.store.expire(&worker).await? {
                expired += some;
                if left == 0 {
                    break;
                }
            }
        }
        self.meters.expired_jobs.inc_by(expired);
        Ok(expired)
    }
}

/// Offers jobs again that Redis says are offered while their queue is empty, or has come far past them; returns how
/// many. Only what was offered at least `age` ago, and `behind` before what the queue has come to.
pub async fn find_lost_offers(
    store: &Store,
    broker: &Broker,
    age: Duration,
    behind: Duration,
) -> anyhow::Result<u64> {
    let (mut reoffered, mut failed) = (0, None);
    for queue in store.queues().await? {
        // A queue that cannot be looked at must not hide the others.
        let came_past = match broker.depth(&queue.name).await {
            Ok(Some(0)) => None,
            Ok(Some(_)) => Some(behind),
            // What cannot be made needs no offers yet.
            Ok(None) => {
                let refused = broker.declare(&[queue.name.clone()].into()).await;
                if let Some(error) = refused.into_values().next() {
                    failed = failed.or(Some(error));
                    continue;
                }
                None
            }
            Err(error) => {
                failed = failed.or(Some(error));
                continue;
            }
        };
        let which = Reoffer { queue: queue.name, age, behind: came_past };
        loop {
            let some = store.reoffer(&which).await?;
            reoffered += some;
            if some == 0 {
                break;
            }
        }
    }
    match failed {
        Some(error) if reoffered == 0 => Err(error.into()),
        _ => Ok(reoffered),
    }
}

/// Runs the reaper until shutdown. Its looks do not wait for each other: a broker that hangs must not keep
/// leases from ending.
pub(crate) async fn run(service: Service, shutdown: CancellationToken) -> anyhow::Result<()> {
    tokio::join!(
        watch_leases(&service, &shutdown),
        watch_offers(&service, &shutdown),
        watch_batches(&service, &shutdown),
        watch_history(&service, &shutdown),
    );
    Ok(())
}

async fn watch_leases(service: &Service, shutdown: &CancellationToken) {
    let meters = service.meters.clone();
    let mut reaper = Reaper::new(service.store.clone(), service.config.lease, meters);
    let mut watch = Watch::new("leases", service);
    loop {
        watch.looked(reaper.expire().await.map_err(Into::into));
        if !watch.wait(PERIOD, shutdown).await {
            return;
        }
    }
}

async fn watch_offers(service: &Service, shutdown: &CancellationToken) {
    let mut watch = Watch::new("offers", service);
    let mut broker = None;
    loop {
        let reoffered = look_for_offers(service, &mut broker).await;
        service.meters.reoffered_jobs.inc_by(*reoffered.as_ref().unwrap_or(&0));
        watch.looked(reoffered);
        if !watch.wait(PERIOD, shutdown).await {
            break;
        }
    }
    if let Some(broker) = broker {
        broker.close().await;
    }
}

async fn watch_batches(service: &Service, shutdown: &CancellationToken) {
    let mut watch = Watch::new("batches", service);
    loop {
        watch.looked(service.store.finish_batches(LOST_AFTER).await.map_err(Into::into));
        if !watch.wait(PERIOD, shutdown).await {
            return;
        }
    }
}

async fn watch_history(service: &Service, shutdown: &CancellationToken) {
    let mut watch = Watch::new("history", service);
    loop {
        let trimming = shutdown.run_until_cancelled(trim_history(service));
        let Some(trimmed) = trimming.await else { return };
        watch.looked(trimmed.map(|_| 0));
        if !watch.wait(TRIM_PERIOD, shutdown).await {
            return;
        }
    }
}

/// Removes what the settings do not keep; returns how many jobs.
async fn trim_history(service: &Service) -> anyhow::Result<u64> {
    let mut jobs = 0;
    loop {
        let settings = service.store.settings().await?;
        let trimmed = service.store.trim(&settings).await?;
        service.meters.trimmed_jobs.inc_by(trimmed.jobs);
        jobs += trimmed.jobs;
        if trimmed == Trimmed::default() {
            return Ok(jobs);
        }
        service.health.progress("history");
        tokio::time::sleep(TRIM_PAUSE).await;
    }
}

async fn look_for_offers(service: &Service, kept: &mut Option<Broker>) -> anyhow::Result<u64> {
    let broker = match kept.take().filter(Broker::is_connected) {
        Some(connected) => connected,
        None => {
            let name = format!("capstan-scheduler {} reaper", service.name);
            let namespace = &service.config.store.namespace;
            Broker::connect(&service.config.broker.load()?, namespace, &name).await?
        }
    };
    let reoffered = find_lost_offers(&service.store, &broker, LOST_AFTER, BEHIND).await?;
    *kept = Some(broker);
    Ok(reoffered)
}

/// One of the reaper's looks: how it goes, for the log and the health.
struct Watch<'a> {
    part: &'static str,
    service: &'a Service,
    failing: bool,
}

impl<'a> Watch<'a> {
    fn new(part: &'static str, service: &'a Service) -> Watch<'a> {
        Watch { part, service, failing: false }
    }

    fn looked(&mut self, outcome: anyhow::Result<u64>) {
        match outcome {
            Ok(moved) => {
                self.failing = false;
                self.service.health.progress(self.part);
                if moved > 0 {
                    tracing::info!(count = moved, "reaper: lost {} were found", self.part);
                }
            }
            Err(error) => {
                self.service.health.trouble(self.part, &error);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "reaper: cannot look for lost {}", self.part);
                }
            }
        }
    }

    /// Waits one period; false when shutdown came first.
    async fn wait(&self, period: Duration, shutdown: &CancellationToken) -> bool {
        tokio::select! {
            () = shutdown.cancelled() => false,
            () = tokio::time::sleep(period) => true,
        }
    }
}
