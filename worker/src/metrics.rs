//! The metrics of a worker. Labels are bounded: actions that it knows, types that it offers.

use std::time::Duration;

use domain::capacity::CapacityMap;
use domain::job::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabel {
    action: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    action: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    r#type: String,
}

/// From ten milliseconds to eleven hours.
fn run_times() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 4.0, 12))
}

/// Counts since the process started. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) offers: Counter,
    pub(crate) bad_offers: Counter,
    pub(crate) claimed: Counter,
    pub(crate) refused: Counter,
    pub(crate) unreadable: Counter,
    pub(crate) pauses: Counter,
    pub(crate) running: Gauge,
    pub(crate) lost_leases: Counter,
    ended: Family<EndLabels, Counter>,
    run_times: Family<ActionLabel, Histogram, fn() -> Histogram>,
    capacity: Family<TypeLabel, Gauge>,
    free: Family<TypeLabel, Gauge>,
}

impl Metrics {
    /// Creates the metrics and registers them.
    pub(crate) fn registered(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            offers: Counter::default(),
            bad_offers: Counter::default(),
            claimed: Counter::default(),
            refused: Counter::default(),
            unreadable: Counter::default(),
            pauses: Counter::default(),
            running: Gauge::default(),
            lost_leases: Counter::default(),
            ended: Family::default(),
            run_times: Family::new_with_constructor(run_times),
            capacity: Family::default(),
            free: Family::default(),
        };
        let counters = [
            ("offers", "Offers delivered", &metrics.offers),
            (
                "bad_offers",
                "Messages discarded because they are not valid offers",
                &metrics.bad_offers,
            ),
            ("claimed_jobs", "Jobs claimed", &metrics.claimed),
            ("refused_jobs", "Offered jobs that could not be claimed", &metrics.refused),
            (
                "unreadable_jobs",
                "Claims and ends of jobs that failed because a record cannot be read",
                &metrics.unreadable,
            ),
            (
                "queue_pauses",
                "Consumers closed by the worker: no free capacity, draining or stopping",
                &metrics.pauses,
            ),
            ("lost_leases", "Leases that ended while the process ran", &metrics.lost_leases),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("running_jobs", "Jobs running now", metrics.running.clone());
        let ended = metrics.ended.clone();
        registry.register("ended_jobs", "Jobs that ended, by action and status", ended);
        let (help, times) = ("Time that jobs ran, by action", metrics.run_times.clone());
        registry.register_with_unit("run", help, Unit::Seconds, times);
        let help = "Units that the worker offers, by type";
        registry.register("capacity_units", help, metrics.capacity.clone());
        let help = "Units that no job uses, by type";
        registry.register("free_units", help, metrics.free.clone());
        metrics
    }

    /// Counts a job that ran this long and ended in this status.
    pub(crate) fn ended(&self, action: &str, status: Status, ran: Duration) {
        let action = action.to_owned();
        let label = ActionLabel { action: action.clone() };
        self.run_times.get_or_create(&label).observe(ran.as_secs_f64());
        self.ended.get_or_create(&EndLabels { action, status: status.as_str() }).inc();
    }

    /// Sets the units that are offered and those that are free. A type that is no longer offered has
    /// none.
    pub(crate) fn units(&self, capacity: &CapacityMap, free: &CapacityMap, offered: &CapacityMap) {
        for (name, _) in offered.iter().chain(capacity.iter()) {
            let label = TypeLabel { r#type: name.to_owned() };
            self.capacity.get_or_create(&label).set(i64::from(capacity.units(name)));
            self.free.get_or_create(&label).set(i64::from(free.units(name)));
        }
    }
}
