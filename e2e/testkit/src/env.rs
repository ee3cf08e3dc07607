//! `TestEnv`: the environment of one test, a namespace of its own on a real Redis and a real RabbitMQ, so that many
//! tests run side by side. Closing it checks that nothing is left behind.

use std::time::Duration;

use broker::{Broker, BrokerConfig, QueueType};
use clap::{Args, FromArgMatches};
use store::{Store, StoreConfig};

use crate::fixtures;
use crate::proxy::Proxy;

/// How long anything may take in a test before it is a failure.
pub const LIMIT: Duration = Duration::from_secs(100);

/// The environment of one test. Call [`TestEnv::close`] at its end: dropping it without fails the test.
pub struct TestEnv {
    store: Store,
    store_config: StoreConfig,
    broker_config: BrokerConfig,
    open: bool,
}

impl TestEnv {
    /// An empty env. Fails the test when Redis or RabbitMQ is not there.
    pub async fn new() -> TestEnv {
        TestEnv::on(&service_url("CAPSTAN_TEST_REDIS_URL")).await
    }

    /// An empty env on a Redis of its own.
    pub async fn on(redis_url: &str) -> TestEnv {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_env("CAPSTAN_TEST_LOG"))
            .with_test_writer()
            .try_init();
        let namespace = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let store_config = StoreConfig::new(redis_url, namespace);
        let amqp_url = service_url("CAPSTAN_TEST_AMQP_URL");
        let broker_config = BrokerConfig::new(amqp_url, QueueType::Quorum);
        let store = Store::new(&store_config).expect("the URL of Redis is valid");
        store.ping().await.expect("Redis answers");
        TestEnv { store, store_config, broker_config, open: true }
    }

    /// A proxy in front of the env's Redis, and the flag that sends a service through it.
    pub async fn redis_proxy(&self) -> (Proxy, String) {
        proxied("--redis-url", &self.store_config.redis_url).await
    }

    /// A proxy in front of the env's RabbitMQ, and the flag that sends a service through it.
    pub async fn amqp_proxy(&self) -> (Proxy, String) {
        proxied("--amqp-url", &self.broker_config.amqp_url).await
    }

    /// The store, to look at and to play the part of a service.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings of the store, to start something with.
    #[must_use]
    pub fn store_config(&self) -> &StoreConfig {
        &self.store_config
    }

    /// The settings of the broker, to start something with.
    #[must_use]
    pub fn broker_config(&self) -> &BrokerConfig {
        &self.broker_config
    }

    /// A connection to the broker of the test's own.
    pub async fn broker(&self) -> Broker {
        let namespace = &self.store_config.namespace;
        let broker = Broker::connect(&self.broker_config, namespace, "test").await;
        broker.expect("RabbitMQ answers")
    }

    /// Runs `rabbitmqctl` against the env's broker; every namespace of the tests shares it.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) {
        let program = service_url("CAPSTAN_TEST_RABBITMQCTL");
        let output = tokio::process::Command::new(program).args(arguments).output().await;
        let output = output.expect("rabbitmqctl can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits until `condition` holds; fails with the state of the whole env when it does not in time.
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

    /// The settings of a service in this environment, from flags; the last flag of a kind counts.
    #[must_use]
    pub fn config<Config: Args + FromArgMatches>(&self, flags: &[&str]) -> Config {
        let mut all =
            vec!["test".to_owned(), format!("--redis-url={}", self.store_config.redis_url)];
        all.push(format!("--namespace={}", self.store_config.namespace));
        let command = Config::augment_args(clap::Command::new("test")).args_override_self(true);
        if command.get_arguments().any(|argument| argument.get_id() == "amqp_url") {
            all.push(format!("--amqp-url={}", self.broker_config.amqp_url));
        }
        all.extend(flags.iter().map(ToString::to_string));
        let matches = command.try_get_matches_from(all).expect("the flags are valid");
        Config::from_arg_matches(&matches).expect("the flags are valid")
    }

    /// Leaves the env: removes its queues and keys, and checks that this leaves nothing.
    pub async fn close(mut self) {
        let broker = self.broker().await;
        for queue in self.store.queue_names().await.expect("queues can be listed") {
            broker.delete(&queue).await.expect("a queue can be deleted");
            assert_eq!(broker.depth(&queue).await.expect("a queue can be looked at"), None);
        }
        broker.close().await;
        self.store.remove_namespace().await.expect("keys can be removed");
        let left = self.store.keys_of_namespace().await.expect("keys can be listed");
        assert_eq!(left, Vec::<String>::new(), "something still writes into a env that was left");
        self.open = false;
    }

    /// The state of the whole env as text.
    pub async fn dump(&self) -> String {
        fixtures::dump(&self.store).await
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        let left_open = self.open && !std::thread::panicking();
        assert!(!left_open, "a env must be closed, so that what it leaves behind is seen");
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
