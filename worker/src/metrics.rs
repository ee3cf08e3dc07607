//! The metrics of a worker.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts since the process started. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) offers: Counter,
    pub(crate) bad_offers: Counter,
    pub(crate) claimed: Counter,
    pub(crate) refused: Counter,
    pub(crate) unreadable: Counter,
    pub(crate) pauses: Counter,
    pub(crate) running: Gauge,
}

impl Metrics {
    /// Creates the metrics and registers them.
    pub(crate) fn registered(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
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
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("running_jobs", "Jobs running now", metrics.running.clone());
        metrics
    }
}
