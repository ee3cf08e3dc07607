//! The house that tests live in: real services in one process, on a real Redis and a real RabbitMQ, in a
//! namespace of its own, so that many stand side by side. Leaving it checks that nothing is left behind.

#![expect(clippy::panic, reason = "a panic is how a test fails")]

mod consistent;
mod proxy;
mod receiver;
mod redis;
mod services;
mod timeline;
mod world;

use std::time::Duration;

use clap::Parser;
use shared::broker::Broker;
use shared::config::{BrokerConfig, StoreConfig};
use shared::store::Store;
use tokio_util::sync::CancellationToken;

pub use consistent::{assert_consistent, disagreements};
pub use proxy::Proxy;
pub use receiver::{Received, Receiver, Reply};
pub use redis::Redis;
pub use services::{Service, serve};
pub use timeline::{Idle, Run, Timeline};
pub use world::{beat, job, jobs};

/// How long anything may take in a test before it is a failure.
pub const LIMIT: Duration = Duration::from_secs(100);

/// A house. Call [`House::close`] at the end of a test: a house that is only dropped fails it.
pub struct House {
    store: Store,
    settings: Settings,
    open: bool,
}

/// What every service of a house is given, read as the services' own settings are, without the environment.
#[derive(Parser, Clone)]
struct Settings {
    #[command(flatten)]
    store: StoreConfig,
    #[command(flatten)]
    broker: BrokerConfig,
}

impl House {
    /// An empty house. Fails the test when Redis or RabbitMQ is not there.
    pub async fn new() -> House {
        House::on(&service_url("CAPSTAN_TEST_REDIS_URL")).await
    }

    /// An empty house on a Redis of its own.
    pub async fn on(redis_url: &str) -> House {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_env("CAPSTAN_TEST_LOG"))
            .with_test_writer()
            .try_init();
        let namespace = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let settings = Settings::parse_from([
            "house",
            &format!("--redis-url={redis_url}"),
            &format!("--amqp-url={}", service_url("CAPSTAN_TEST_AMQP_URL")),
            &format!("--namespace={namespace}"),
        ]);
        let store = Store::new(&settings.store).expect("the URL of Redis can be read");
        store.ping().await.expect("Redis answers");
        House { store, settings, open: true }
    }

    /// A proxy in front of the house's Redis, and the flag that sends a service through it.
    pub async fn redis_proxy(&self) -> (Proxy, String) {
        proxied("--redis-url", &self.settings.store.redis_url).await
    }

    /// A proxy in front of the house's RabbitMQ, and the flag that sends a service through it.
    pub async fn amqp_proxy(&self) -> (Proxy, String) {
        proxied("--amqp-url", &self.settings.broker.amqp_url).await
    }

    /// The store, to look at and to play the part of a service.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings of the store, to start something with.
    #[must_use]
    pub fn store_config(&self) -> &StoreConfig {
        &self.settings.store
    }

    /// The settings of the broker, to start something with.
    #[must_use]
    pub fn broker_config(&self) -> &BrokerConfig {
        &self.settings.broker
    }

    /// A connection to the broker of the test's own.
    pub async fn broker(&self) -> Broker {
        let namespace = &self.settings.store.namespace;
        let broker = Broker::connect(&self.settings.broker, namespace, "test").await;
        broker.expect("RabbitMQ answers")
    }

    /// Runs `rabbitmqctl` against the house's broker; every namespace of the tests shares it.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) {
        let program = service_url("CAPSTAN_TEST_RABBITMQCTL");
        let output = tokio::process::Command::new(program).args(arguments).output().await;
        let output = output.expect("rabbitmqctl can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits until `condition` holds; fails with the state of the whole house when it does not in time.
    pub async fn eventually<Asking>(&self, what: &str, mut condition: impl FnMut() -> Asking)
    where
        Asking: Future<Output = bool>,
    {
        let until = tokio::time::Instant::now() + LIMIT;
        while !condition().await {
            if tokio::time::Instant::now() > until {
                panic!("not in {LIMIT:?}: {what}\n{}", self.dump().await);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Leaves the house: removes its queues and keys, and checks that this leaves nothing.
    pub async fn close(mut self) {
        let broker = self.broker().await;
        for queue in self.store.queue_names().await.expect("queues can be listed") {
            broker.delete(&queue).await.expect("a queue can be deleted");
            assert_eq!(broker.depth(&queue).await.expect("a queue can be looked at"), None);
        }
        broker.close().await;
        self.store.remove_namespace().await.expect("keys can be removed");
        let left = self.store.keys_of_namespace().await.expect("keys can be listed");
        assert_eq!(left, Vec::<String>::new(), "something still writes into a house that was left");
        self.open = false;
    }

    /// The state of the whole house as text.
    pub async fn dump(&self) -> String {
        world::dump(&self.store).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let left_open = self.open && !std::thread::panicking();
        assert!(!left_open, "a house must be closed, so that what it leaves behind is seen");
    }
}

/// Where a real service is. There are no fakes and no skips: a service that is not there is a failure.
#[must_use]
pub fn service_url(variable: &str) -> String {
    let url = std::env::var_os(variable).and_then(|url| url.into_string().ok());
    url.unwrap_or_else(|| {
        panic!("{variable} is not set: run the tests with `./dev test`, which sets it")
    })
}

async fn proxied(flag: &str, url: &str) -> (Proxy, String) {
    let (proxy, url) = Proxy::before(url).await;
    (proxy, format!("{flag}={url}"))
}

/// A token that is cancelled when it is dropped with its guard: a service lives as long as its handle.
pub(crate) fn lifeline() -> (CancellationToken, tokio_util::sync::DropGuard) {
    let token = CancellationToken::new();
    (token.clone(), token.drop_guard())
}
