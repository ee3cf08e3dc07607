//! What a worker counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters since the start of the process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meters {
    pub(crate) offers: Counter,
    pub(crate) bad_offers: Counter,
    pub(crate) claimed: Counter,
    pub(crate) refused: Counter,
    pub(crate) pauses: Counter,
    pub(crate) running: Gauge,
}

impl Meters {
    pub(crate) fn registered(registry: &mut Registry) -> Meters {
        let meters = Meters::default();
        let all = [
            ("offers", "Offers delivered", &meters.offers),
            ("bad_offers", "Messages that were no offers", &meters.bad_offers),
            ("claimed_jobs", "Jobs claimed", &meters.claimed),
            ("refused_jobs", "Offered jobs that were stale when claimed", &meters.refused),
            ("queue_pauses", "Consumers closed for want of room", &meters.pauses),
        ];
        for (name, help, counter) in all {
            registry.register(name, help, counter.clone());
        }
        registry.register("running_jobs", "Jobs running now", meters.running.clone());
        meters
    }
}
