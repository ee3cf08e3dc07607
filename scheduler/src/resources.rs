//! The settings, clients and handles that the tasks of a scheduler share.

use broker::Broker;
use service::health::Health;
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::broker_link::SharedBrokerLink;
use crate::config::Config;
use crate::metrics::Metrics;

/// What the tasks of a scheduler share. Clones share their state.
#[derive(Clone)]
pub(crate) struct Resources {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    /// Whether the relay can publish.
    pub(crate) broker_link: SharedBrokerLink,
    /// Identifies this process among the schedulers.
    pub(crate) id: String,
    pub(crate) shutdown: CancellationToken,
}

impl Resources {
    /// Opens a connection to RabbitMQ, whose list of connections shows the purpose.
    pub(crate) async fn connect_broker(&self, purpose: &str) -> anyhow::Result<Broker> {
        let name = format!("capstan-scheduler {} {purpose}", self.id);
        let broker = self.config.broker.load()?;
        Ok(Broker::connect(&broker, &self.config.store.namespace, &name).await?)
    }
}
