//! Announces the scheduler and its connection to RabbitMQ, so that people and the API see it.

use std::time::Duration;

use store::{ANNOUNCEMENT_PERIOD, Announcer, BrokerLink, ServiceKind};

use crate::broker_link::SharedBrokerLink;
use crate::resources::Resources;
use crate::runner::{Pass, Task};

/// The time between two announcements without a connection, so that a new one shows at once.
const RECONNECT_PERIOD: Duration = Duration::from_millis(100);

/// Announces one scheduler.
pub(crate) struct Announcement {
    announcer: Announcer,
    broker: SharedBrokerLink,
}

impl Announcement {
    pub(crate) fn new(resources: &Resources) -> Announcement {
        let (store, version) = (resources.store.clone(), env!("CARGO_PKG_VERSION"));
        let announcer = Announcer::new(store, ServiceKind::Scheduler, &resources.id, version);
        Announcement { announcer, broker: resources.broker_link.clone() }
    }
}

impl Task for Announcement {
    const NAME: &'static str = "announcement";
    const PERIOD: Duration = ANNOUNCEMENT_PERIOD;

    async fn pass(&mut self) -> anyhow::Result<Pass> {
        let link = self.broker.get();
        let next = (link != BrokerLink::Up).then_some(RECONNECT_PERIOD);
        self.announcer.announce(Some(link)).await?;
        Ok(Pass { next, ..Pass::default() })
    }

    async fn close(self) {
        if let Err(error) = self.announcer.retract().await {
            tracing::debug!(%error, "the announcement stays until it expires");
        }
    }
}
