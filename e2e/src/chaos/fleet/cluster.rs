//! The clusters of Redis and RabbitMQ: which server leads, whether all servers are there, and how
//! one is cut off from the others.

use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, QueueType};
use devserver::{Members, Registrations};
use testkit::Proxy;

/// How long a cluster may take until all its servers are back.
const WHOLE_WITHIN: Duration = Duration::from_secs(120);
const PERIOD: Duration = Duration::from_millis(200);
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// What is known of the clusters besides their processes.
pub(crate) struct Cluster {
    pub(super) members: Members,
    /// In front of each Redis, for everyone.
    pub(super) redis_proxies: Vec<Proxy>,
    /// The URL of each RabbitMQ.
    pub(super) amqp_urls: Vec<String>,
    pub(super) links: Vec<Link>,
    pub(super) _registrations: Registrations,
}

/// The way on which one RabbitMQ reaches another.
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) proxy: Proxy,
}

impl Cluster {
    /// The index of the primary of Redis, as soon as the sentinels agree about it.
    pub(crate) async fn primary(&self) -> anyhow::Result<usize> {
        let deadline = Instant::now() + WHOLE_WITHIN;
        loop {
            if let Some(primary) = self.members.primary().await {
                return Ok(primary);
            }
            anyhow::ensure!(Instant::now() < deadline, "the sentinels name no primary");
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// The proxy in front of a Redis.
    pub(crate) fn redis_proxy(&self, index: usize) -> &Proxy {
        &self.redis_proxies[index]
    }

    /// Closes the connections between a RabbitMQ and the others, and refuses new ones.
    pub(crate) fn cut_off_broker(&self, index: usize) {
        self.links_of(index).for_each(Proxy::cut);
    }

    /// Lets a RabbitMQ and the others connect again.
    pub(crate) fn restore_broker(&self, index: usize) {
        self.links_of(index).for_each(Proxy::restore);
    }

    fn links_of(&self, index: usize) -> impl Iterator<Item = &Proxy> {
        let touching = move |link: &&Link| link.from == index || link.to == index;
        self.links.iter().filter(touching).map(|link| &link.proxy)
    }

    /// Waits until Redis has a primary that all sentinels name and that all others follow. Returns
    /// whether it has in time.
    pub(crate) async fn redis_is_whole(&self) -> bool {
        in_time(async || self.members.is_whole().await).await
    }

    /// Waits until every RabbitMQ accepts connections: one that is cut off from the others does not.
    /// Returns whether they do in time.
    pub(crate) async fn rabbitmq_is_whole(&self) -> bool {
        in_time(async || {
            for url in &self.amqp_urls {
                let config = BrokerConfig::new(url, QueueType::Quorum);
                let connecting = Broker::connect(&config, "chaos", "chaos");
                let connected = tokio::time::timeout(CONNECTED_WITHIN, connecting).await;
                let Ok(Ok(broker)) = connected else { return false };
                broker.close().await;
            }
            true
        })
        .await
    }
}

async fn in_time(condition: impl AsyncFn() -> bool) -> bool {
    let deadline = Instant::now() + WHOLE_WITHIN;
    while !condition().await {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(PERIOD).await;
    }
    true
}
