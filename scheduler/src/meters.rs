//! What a scheduler counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters since the start of the process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    /// Offers that the broker has confirmed.
    pub offers: Counter,
    /// Jobs in those offers.
    pub offered_jobs: Counter,
    /// Jobs whose time had come.
    pub due_jobs: Counter,
    /// Jobs ended because they were not started in time.
    pub lapsed_jobs: Counter,
    /// Jobs that left the history.
    pub trimmed_jobs: Counter,
    /// Jobs made by crons.
    pub cron_jobs: Counter,
    /// Ticks of crons that got no job.
    pub skipped_ticks: Counter,
    /// Jobs ended because their worker's lease had.
    pub expired_jobs: Counter,
    /// Jobs offered again because their offers seemed lost.
    pub reoffered_jobs: Counter,
    /// Jobs made to tell subscriptions of events.
    pub deliveries: Counter,
    /// Messages that were not made because too many were on their way.
    pub dropped_deliveries: Counter,
    /// How often events were not kept until subscriptions were told of them.
    pub event_cuts: Counter,
    /// How often a queue was left alone because the broker refused it again.
    pub refused_queues: Counter,
}

impl Meters {
    /// Counters that the registry shows.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Meters {
        let meters = Meters::default();
        let all = [
            ("offers", "Offers confirmed by the broker", &meters.offers),
            ("offered_jobs", "Jobs in confirmed offers", &meters.offered_jobs),
            ("due_jobs", "Jobs whose time had come", &meters.due_jobs),
            ("lapsed_jobs", "Jobs not started before they expired", &meters.lapsed_jobs),
            ("trimmed_jobs", "Jobs that left the history", &meters.trimmed_jobs),
            ("cron_jobs", "Jobs made by crons", &meters.cron_jobs),
            ("skipped_ticks", "Ticks of crons that got no job", &meters.skipped_ticks),
            ("expired_jobs", "Jobs ended with their worker's lease", &meters.expired_jobs),
            ("reoffered_jobs", "Jobs offered again", &meters.reoffered_jobs),
            ("deliveries", "Jobs made to tell subscriptions of events", &meters.deliveries),
            (
                "dropped_deliveries",
                "Messages not made because too many were on their way",
                &meters.dropped_deliveries,
            ),
            ("event_cuts", "Times that events were gone before they were told", &meters.event_cuts),
            ("refused_queues", "Refusals of queues by the broker", &meters.refused_queues),
        ];
        for (name, help, counter) in all {
            registry.register(name, help, counter.clone());
        }
        meters
    }
}
