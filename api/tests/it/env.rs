//! The environment of one test: an API on its own port, and its store. Everything is removed at the
//! end, even if the test fails.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use api::{Config, Exposure, RunError};
use domain::job::{JobId, WorkerId};
use futures_util::FutureExt;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use service::settings::{OptionalAddress, StoreSettings, TelemetrySettings};
use store::{Announcer, BrokerLink, ServiceKind, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The deadline of a request, and of waiting for a condition.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// A running API.
pub(crate) struct TestEnv {
    pub(crate) store: Store,
    namespace: String,
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) client: Client,
    pub(crate) shutdown: CancellationToken,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Returns the URL of the Redis that all tests share.
#[expect(clippy::disallowed_methods, reason = "this is the only setting of the tests")]
pub(crate) fn redis_url() -> String {
    std::env::var("CAPSTAN_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!("set CAPSTAN_TEST_REDIS_URL to the URL of a Redis, like redis://127.0.0.1:6379")
    })
}

/// Runs a test with the shared Redis.
pub(crate) async fn with_env(test: impl AsyncFnOnce(&TestEnv)) {
    let redis = redis_url();
    with_env_on(&redis, test).await;
}

/// Runs a test whose API uses another Redis; `TestEnv::store` uses the shared one.
pub(crate) async fn with_env_on(redis: &str, test: impl AsyncFnOnce(&TestEnv)) {
    with_env_exposed(redis, Exposure::default(), test).await;
}

/// Runs a test whose API has other access settings.
pub(crate) async fn with_env_exposed(
    redis: &str,
    exposure: Exposure,
    test: impl AsyncFnOnce(&TestEnv),
) {
    let namespace = format!("test-api-{}", WorkerId::random());
    let at = |url: &str| StoreSettings::new(url, namespace.clone());
    let store = Store::new(&at(&redis_url()).load().unwrap()).unwrap();
    if let Err(error) = store.ping().await {
        panic!("the Redis of CAPSTAN_TEST_REDIS_URL does not answer: {error}");
    }
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let (address, admin) = start(at(redis), exposure, &shutdown, &mut tasks).await;
    let url = format!("http://{address}");
    let admin = format!("http://{admin}");
    let client = Client::builder().timeout(TIMEOUT).build().unwrap();
    let env = TestEnv { store, namespace, url, admin, client, shutdown };

    let outcome = AssertUnwindSafe(test(&env)).catch_unwind().await;
    env.shutdown.cancel();
    let ended = tokio::time::timeout(TIMEOUT, tasks.join_next()).await;
    env.store.remove_namespace().await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert!(matches!(ended, Ok(Some(Ok(Ok(()))))), "the api ended with {ended:?}");
}

async fn start(
    store: StoreSettings,
    exposure: Exposure,
    shutdown: &CancellationToken,
    tasks: &mut JoinSet<Result<(), RunError>>,
) -> (SocketAddr, SocketAddr) {
    let admin = free_address();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config {
        listen: address,
        exposure,
        event_streams: 8,
        store,
        telemetry: TelemetrySettings {
            admin_listen: Some(OptionalAddress(Some(admin))),
            log: "info".to_owned(),
        },
    };
    tasks.spawn(api::run_on(listener, config, shutdown.clone()));
    eventually(async || TcpStream::connect(admin).await.is_ok(), |connected| *connected).await;
    (address, admin)
}

/// Returns an unused loopback address. No other process gets it, because automatic assignment uses
/// only 127.0.0.1, and all of 127.0.0.0/8 is loopback.
pub(crate) fn free_address() -> SocketAddr {
    let [a, b, c, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    SocketAddr::from(([127, 1 + a % 254, b, c], 7391))
}

impl TestEnv {
    /// Returns the keys of the namespace, but not those that exist without any accepted request.
    pub(crate) async fn keys_of_requests(&self) -> Vec<String> {
        let mut keys = self.store.keys_of_namespace().await.unwrap();
        keys.retain(|key| ![":audit", ":services", ":store"].iter().any(|end| key.ends_with(end)));
        keys
    }

    /// Gets a path of the v0 surface.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.client.get(self.at(path))).await
    }

    /// Posts JSON to a path of the v0 surface.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.client.post(self.at(path)).json(body)).await
    }

    /// Patches a path of the v0 surface with JSON.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.client.patch(self.at(path)).json(body)).await
    }

    /// Posts an empty body to a path of the v0 surface.
    pub(crate) async fn command(&self, path: &str) -> Answer {
        send(self.client.post(self.at(path))).await
    }

    /// Deletes a path of the v0 surface.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.client.delete(self.at(path))).await
    }

    /// Makes a call of Redis itself on a key of the namespace, such as a broken value that an
    /// operator's mistake or a newer version has written.
    pub(crate) async fn redis(&self, command: &str, key: &str, arguments: &[&str]) {
        let mut call = tokio::process::Command::new("redis-cli");
        call.args(["-u", &redis_url(), "-e", command, &format!("{{{}}}:{key}", self.namespace)]);
        let output = call.args(arguments).output().await.expect("redis-cli is installed");
        assert!(output.status.success(), "{output:?}");
    }

    /// Runs a script with a key of the namespace.
    pub(crate) async fn redis_script(&self, script: &str, key: &str) {
        let mut call = tokio::process::Command::new("redis-cli");
        call.args(["-u", &redis_url(), "-e", "EVAL", script, "1"]);
        let output = call.arg(format!("{{{}}}:{key}", self.namespace)).output().await;
        let output = output.expect("redis-cli is installed");
        assert!(output.status.success(), "{output:?}");
    }

    /// Announces a scheduler that can publish, as a real one does every few seconds.
    pub(crate) async fn announce_scheduler(&self) {
        self.announce_link(BrokerLink::Up).await;
    }

    /// Announces a scheduler with this state of its connection to the broker.
    pub(crate) async fn announce_link(&self, link: BrokerLink) {
        let (kind, version) = (ServiceKind::Scheduler, env!("CARGO_PKG_VERSION"));
        let mut announcer = Announcer::new(self.store.clone(), kind, "0123456789ab", version);
        announcer.announce(Some(link)).await.unwrap();
    }

    /// Returns a job as the API shows it while a scheduler runs.
    pub(crate) async fn show(&self, id: JobId) -> Value {
        self.announce_scheduler().await;
        let answer = self.get(&format!("/jobs/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Returns the URL of a path of the v0 surface.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/api/v0{path}", self.url)
    }

    /// Submits a job and returns its id.
    pub(crate) async fn submit(&self, body: &Value) -> JobId {
        let answer = self.post("/jobs", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }
}

/// Returns the id of a job in a response.
pub(crate) fn id_of(job: &Value) -> JobId {
    job["id"].as_str().unwrap().parse().unwrap()
}

/// Sends a request and reads the whole response, except an endless one.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let endless = status == 200 && response.url().path().trim_end_matches('/').ends_with("/events");
    let text = if endless { String::new() } else { response.text().await.unwrap() };
    Answer { status, headers, text }
}

impl Answer {
    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not valid JSON: {self:?}"))
    }

    /// Returns the status, code and message of an error, which must have the shape of the surface.
    pub(crate) fn refusal(&self) -> String {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap_or_else(|| panic!("not an error: {self:?}"));
        let [error] = &errors[..] else { panic!("not exactly one error: {self:?}") };
        assert!(error["detail"].is_object(), "{self:?}");
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        format!("{} {} {}", self.status, text("code"), text("message"))
    }

    /// Returns the status and code of an error.
    pub(crate) fn code(&self) -> String {
        self.refusal().split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// Returns the details of an error.
    pub(crate) fn detail(&self) -> Value {
        self.json()["errors"][0]["detail"].clone()
    }

    /// Returns a header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Polls a value until it meets the condition; panics with the last value after [`TIMEOUT`].
pub(crate) async fn eventually<T: std::fmt::Debug>(
    mut poll: impl AsyncFnMut() -> T,
    condition: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let value = poll().await;
        if condition(&value) {
            return value;
        }
        assert!(Instant::now() < deadline, "the condition is not met; last value: {value:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
