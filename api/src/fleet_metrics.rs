//! Gauges of the whole fleet, which every API process exposes: what waits, what piles up, what
//! Redis has left. An alert uses the largest value of all APIs.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use domain::job::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use store::{Backlogs, FleetHealth, ReadyQueue, Store, StoreError, Worker, WorkerStatus};
use tokio_util::sync::CancellationToken;

use crate::wait_reason::count_able;

/// How often the fleet is measured.
const PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// The gauges. Clones share their values.
#[derive(Clone, Default)]
pub(crate) struct FleetMetrics {
    workers: Family<StateLabel, Gauge>,
    schedulers: Gauge,
    queues_without_worker: Gauge,
    oldest_ready: Seconds,
    outbox_entries: Gauge,
    outbox_age: Seconds,
    pending_deliveries: Gauge,
    lock_held: Seconds,
    redis_used: Gauge,
    redis_limit: Gauge,
    redis_append_only: Gauge,
}

impl FleetMetrics {
    /// Creates the gauges and registers them.
    pub(crate) fn registered(registry: &mut Registry) -> FleetMetrics {
        let metrics = FleetMetrics::default();
        let registry = registry.sub_registry_with_prefix("capstan");
        registry.register("workers", "live workers by state", metrics.workers.clone());
        let gauges = [
            ("schedulers", "schedulers that run", &metrics.schedulers),
            (
                "queues_without_worker",
                "queues with ready jobs that no live worker can run",
                &metrics.queues_without_worker,
            ),
            ("outbox_entries", "ready jobs that are not published yet", &metrics.outbox_entries),
            (
                "pending_deliveries",
                "messages of subscriptions that are not delivered",
                &metrics.pending_deliveries,
            ),
            (
                "redis_append_only",
                "1 if Redis writes each change to disk, 0 if it does not",
                &metrics.redis_append_only,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let seconds = [
            ("oldest_ready", "age of the oldest offered job", &metrics.oldest_ready),
            ("outbox_age", "age of the oldest entry of the outbox", &metrics.outbox_age),
            (
                "lock_held",
                "longest time for which a job has held a lock that others wait for",
                &metrics.lock_held,
            ),
        ];
        for (name, help, gauge) in seconds {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        }
        let bytes = [
            ("redis_used", "memory that counts against the limit of Redis", &metrics.redis_used),
            ("redis_limit", "limit of the memory of Redis, 0 for none", &metrics.redis_limit),
        ];
        for (name, help, gauge) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        metrics
    }

    /// Measures the fleet regularly until `shutdown`. While the store does not answer, the gauges
    /// keep their values.
    pub(crate) async fn run(self, store: Store, shutdown: CancellationToken) {
        let measuring = async {
            loop {
                if let Err(error) = self.measure(&store).await {
                    tracing::debug!(%error, "cannot measure the fleet");
                }
                tokio::time::sleep(PERIOD).await;
            }
        };
        shutdown.run_until_cancelled(measuring).await;
    }

    async fn measure(&self, store: &Store) -> Result<(), StoreError> {
        let health = store.fleet_health().await?;
        self.set_health(&health);
        let append_only = store.append_only_bytes().await?.is_some();
        self.redis_append_only.set(i64::from(append_only));
        let (queues, workers) = (store.ready_queues().await?, store.live_workers().await?);
        self.set_queues(&queues, &workers, health.now);
        self.set_backlogs(&store.backlogs_of_store().await?, health.now);
        Ok(())
    }

    fn set_health(&self, health: &FleetHealth) {
        let schedulers =
            health.services.iter().filter(|one| one.kind == store::ServiceKind::Scheduler);
        self.schedulers.set(schedulers.count() as i64);
        if let Some(memory) = &health.memory {
            self.redis_used.set(i64::try_from(memory.used_bytes).unwrap_or(i64::MAX));
            self.redis_limit.set(i64::try_from(memory.limit_bytes).unwrap_or(i64::MAX));
        }
    }

    fn set_queues(&self, queues: &[ReadyQueue], workers: &[Worker], now: Timestamp) {
        for status in [WorkerStatus::Running, WorkerStatus::Draining] {
            let count = workers.iter().filter(|worker| worker.status == status).count();
            self.workers.get_or_create(&StateLabel { state: status.as_str() }).set(count as i64);
        }
        let without = queues.iter().filter(|queue| count_able(&queue.name, workers) == 0).count();
        self.queues_without_worker.set(without as i64);
        let oldest = queues.iter().filter_map(|queue| queue.oldest).min();
        self.oldest_ready.set(age_s(oldest, now));
    }

    fn set_backlogs(&self, backlogs: &Backlogs, now: Timestamp) {
        self.outbox_entries.set(i64::try_from(backlogs.outbox).unwrap_or(i64::MAX));
        self.outbox_age.set(age_s(backlogs.oldest_in_outbox, now));
        self.pending_deliveries.set(i64::try_from(backlogs.deliveries).unwrap_or(i64::MAX));
        self.lock_held.set(age_s(backlogs.held_since, now));
    }
}

/// How long ago an instant was, in seconds; 0 if there is none.
fn age_s(since: Option<Timestamp>, now: Timestamp) -> f64 {
    since.map_or(0.0, |since| (now.ms() - since.ms()).max(0) as f64 / 1000.0)
}
