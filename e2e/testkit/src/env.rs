//! `TestEnv`: the environment of one test.
//!
//! Each environment has a namespace of its own on a real Redis and a real RabbitMQ, so tests run in
//! parallel. Closing an environment checks that nothing is left behind.

use std::collections::BTreeSet;
use std::time::Duration;

use broker::{Broker, BrokerConfig, QueueType};
use clap::{Args, FromArgMatches};
use domain::job::{Job, JobId, Status};
use store::{Store, StoreConfig};
use tokio::time::{Instant, sleep};

use crate::fixtures;
use crate::proxy::Proxy;
use crate::redis_cli::redis_cli;

/// How long an environment may live before waiting in it fails. The test runner kills a test after
/// 120 seconds, without the state that [`TestEnv::eventually`] prints.
pub const DEADLINE: Duration = Duration::from_secs(100);

const POLL_PERIOD: Duration = Duration::from_millis(10);

/// The environment of one test. A test must [`close`](TestEnv::close) it; dropping an open
/// environment fails the test.
pub struct TestEnv {
    store: Store,
    store_config: StoreConfig,
    broker_config: BrokerConfig,
    deadline: Instant,
    open: bool,
}

impl TestEnv {
    /// Creates an empty environment. Fails the test if Redis or RabbitMQ is unreachable.
    pub async fn new() -> TestEnv {
        TestEnv::on(&environment_variable("CAPSTAN_TEST_REDIS_URL")).await
    }

    /// Creates an empty environment on another Redis.
    pub async fn on(redis_url: &str) -> TestEnv {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_env("CAPSTAN_TEST_LOG"))
            .with_test_writer()
            .try_init();
        let namespace = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let store_config = StoreConfig::new(redis_url, namespace);
        let amqp_url = environment_variable("CAPSTAN_TEST_AMQP_URL");
        let broker_config = BrokerConfig::new(amqp_url, QueueType::Quorum);
        let store = Store::new(&store_config).expect("the URL of Redis is valid");
        store.ping().await.expect("Redis answers");
        TestEnv {
            store,
            store_config,
            broker_config,
            deadline: Instant::now() + DEADLINE,
            open: true,
        }
    }

    /// Starts a proxy in front of Redis. Returns it with the flag that makes a service use it.
    pub async fn redis_proxy(&self) -> (Proxy, String) {
        proxied("--redis-url", &self.store_config.redis_url).await
    }

    /// Starts a proxy in front of RabbitMQ. Returns it with the flag that makes a service use it.
    pub async fn amqp_proxy(&self) -> (Proxy, String) {
        proxied("--amqp-url", &self.broker_config.amqp_url).await
    }

    /// The store of this environment.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings of the store.
    #[must_use]
    pub fn store_config(&self) -> &StoreConfig {
        &self.store_config
    }

    /// The settings of the broker.
    #[must_use]
    pub fn broker_config(&self) -> &BrokerConfig {
        &self.broker_config
    }

    /// Opens a connection to the broker.
    pub async fn broker(&self) -> Broker {
        let namespace = &self.store_config.namespace;
        let broker = Broker::connect(&self.broker_config, namespace, "test").await;
        broker.expect("RabbitMQ answers")
    }

    /// Makes a call of Redis itself on a key of this namespace, such as a broken value that an
    /// operator's mistake or a newer version has written. Returns the answer as text.
    pub async fn redis(&self, command: &str, key: &str, arguments: &[&str]) -> String {
        let key = format!("{{{}}}:{key}", self.store_config.namespace);
        let call = [command, &key].into_iter().chain(arguments.iter().copied());
        redis_cli(&self.store_config.redis_url, call.map(str::to_owned)).await
    }

    /// Runs `rabbitmqctl` against the broker, which all environments share. Returns its output.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        let program = environment_variable("CAPSTAN_TEST_RABBITMQCTL");
        let output = tokio::process::Command::new(program).args(arguments).output().await;
        let output = output.expect("rabbitmqctl can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Reads the record of a job. Fails the test if there is none.
    pub async fn job(&self, id: JobId) -> Job {
        let job = self.store.job(id).await.expect("the record is readable");
        job.unwrap_or_else(|| panic!("job {id} does not exist"))
    }

    /// Waits until a job has reached a final status, and returns its record.
    pub async fn finished(&self, id: JobId) -> Job {
        let is_final = async || self.job(id).await.status.is_final();
        self.eventually(&format!("job {id} reaches a final status"), is_final).await;
        self.job(id).await
    }

    /// Waits until exactly `count` jobs are done and no job is unfinished.
    pub async fn until_done(&self, count: u64) {
        let all_done = async || {
            let counts = self.store.counts().await.unwrap_or_default();
            let done = counts.contains(&(Status::Done, count));
            done && counts.iter().all(|(status, count)| status.is_final() || *count == 0)
        };
        self.eventually(&format!("{count} jobs are done, none is unfinished"), all_done).await;
    }

    /// Waits until `condition` holds. Fails the test with the state of the environment if it does
    /// not hold before the deadline.
    pub async fn eventually<Condition>(
        &self,
        description: &str,
        mut condition: impl FnMut() -> Condition,
    ) where
        Condition: Future<Output = bool>,
    {
        while !condition().await {
            if Instant::now() > self.deadline {
                panic!("not within {DEADLINE:?}: {description}\n{}", self.dump().await);
            }
            sleep(POLL_PERIOD).await;
        }
    }

    /// Parses the settings of a service of this environment. The last of equal flags wins.
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

    /// Deletes the queues and keys of this environment, and checks that none reappears.
    pub async fn close(mut self) {
        let broker = self.broker().await;
        let in_use = self.store.queue_names().await.expect("the queues are readable");
        let declared = self.store.declared_queues().await.expect("the queues are readable");
        let queues: BTreeSet<_> = in_use.into_iter().chain(declared).collect();
        for queue in queues {
            broker.delete(&queue).await.expect("a queue can be deleted");
            assert_eq!(broker.depth(&queue).await.expect("RabbitMQ answers"), None);
        }
        broker.close().await;
        self.store.remove_namespace().await.expect("the keys can be deleted");
        let left = self.store.keys_of_namespace().await.expect("the keys are readable");
        assert_eq!(left, Vec::<String>::new(), "something still writes to a closed environment");
        self.open = false;
    }

    /// The state of the environment as text.
    pub async fn dump(&self) -> String {
        fixtures::dump(&self.store).await
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        let left_open = self.open && !std::thread::panicking();
        assert!(!left_open, "the test did not close its environment");
    }
}

/// Reads an environment variable that the test runner sets. Fails the test if it is not set: a
/// missing service is a failure, not a reason to skip.
#[must_use]
pub fn environment_variable(name: &str) -> String {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
    value.unwrap_or_else(|| panic!("{name} is not set; run the tests with `./dev test`"))
}

async fn proxied(flag: &str, url: &str) -> (Proxy, String) {
    let (proxy, url) = Proxy::in_front_of(url).await;
    (proxy, format!("{flag}={url}"))
}
