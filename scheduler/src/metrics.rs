//! The metrics of a scheduler.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters since the start of the process. Clones share their values.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Offers that the broker has confirmed.
    pub offers: Counter,
    /// Jobs in those offers.
    pub offered_jobs: Counter,
    /// Jobs that were moved to the outbox when they became due.
    pub due_jobs: Counter,
    /// Jobs that ended because they had not started before they expired.
    pub expired_waiting_jobs: Counter,
    /// Steps of scripts that were left out because a record cannot be read.
    pub failed_steps: Counter,
    /// Jobs that were removed from the history.
    pub trimmed_jobs: Counter,
    /// Jobs that crons created.
    pub cron_jobs: Counter,
    /// Ticks of crons without a job.
    pub skipped_ticks: Counter,
    /// Jobs that ended because the lease of their worker ended.
    pub expired_jobs: Counter,
    /// Times that the clock of Redis was found to be set.
    pub clock_steps: Counter,
    /// Jobs that were offered again because their offers were lost.
    pub redispatched_jobs: Counter,
    /// Jobs that deliver events to subscriptions.
    pub deliveries: Counter,
    /// Deliveries that were dropped because too many were pending.
    pub dropped_deliveries: Counter,
    /// Times that events were trimmed before subscriptions received them.
    pub event_cuts: Counter,
    /// Events that were counted for time series.
    pub counted_events: Counter,
    /// Times that events were trimmed before they were counted.
    pub uncounted_cuts: Counter,
    /// Pauses of queues that the broker refused repeatedly.
    pub refused_queues: Counter,
    /// Records that the last pass of each task left out because they cannot be read.
    unreadable: Family<TaskLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabel {
    task: &'static str,
}

impl Metrics {
    /// Returns metrics that the registry exposes.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        let all = [
            ("offers", "Offers confirmed by the broker", &metrics.offers),
            ("offered_jobs", "Jobs in confirmed offers", &metrics.offered_jobs),
            ("due_jobs", "Jobs moved to the outbox when due", &metrics.due_jobs),
            (
                "expired_waiting_jobs",
                "Jobs not started before they expired",
                &metrics.expired_waiting_jobs,
            ),
            (
                "failed_steps",
                "Steps that were left out because a record cannot be read",
                &metrics.failed_steps,
            ),
            ("trimmed_jobs", "Jobs removed from the history", &metrics.trimmed_jobs),
            ("cron_jobs", "Jobs created by crons", &metrics.cron_jobs),
            ("skipped_ticks", "Ticks of crons without a job", &metrics.skipped_ticks),
            ("expired_jobs", "Jobs ended with the lease of their worker", &metrics.expired_jobs),
            ("clock_steps", "Times that the clock of Redis was set", &metrics.clock_steps),
            ("redispatched_jobs", "Jobs offered again", &metrics.redispatched_jobs),
            ("deliveries", "Jobs created to deliver events", &metrics.deliveries),
            (
                "dropped_deliveries",
                "Deliveries dropped because too many were pending",
                &metrics.dropped_deliveries,
            ),
            (
                "event_cuts",
                "Times that events were trimmed before subscriptions received them",
                &metrics.event_cuts,
            ),
            ("counted_events", "Events counted for time series", &metrics.counted_events),
            (
                "uncounted_cuts",
                "Times that events were trimmed before they were counted",
                &metrics.uncounted_cuts,
            ),
            (
                "refused_queues",
                "Pauses of queues that the broker refused repeatedly",
                &metrics.refused_queues,
            ),
        ];
        for (name, help, counter) in all {
            registry.register(name, help, counter.clone());
        }
        let help = "Records that the last pass of a task left out because they cannot be read";
        registry.register("unreadable_records", help, metrics.unreadable.clone());
        metrics
    }

    /// Returns how many records the last pass of a task left out.
    pub(crate) fn unreadable_records(&self, task: &'static str) -> Gauge {
        self.unreadable.get_or_create(&TaskLabel { task }).clone()
    }
}
