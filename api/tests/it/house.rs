//! A house for one test: an API on a port of its own, its store, and an end that leaves nothing
//! behind, however the test ends.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use api::{Config, Exposure, RunError};
use futures_util::FutureExt;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use shared::config::{OptionalAddress, StoreConfig, TelemetryConfig};
use shared::job::{JobId, WorkerId};
use shared::store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must become true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running API.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) url: String,
    pub(crate) admin: String,
    pub(crate) client: Client,
    pub(crate) shutdown: CancellationToken,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// The Redis of the tests.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but this one")]
pub(crate) fn redis_url() -> String {
    std::env::var("CAPSTAN_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!("set CAPSTAN_TEST_REDIS_URL to a Redis for tests, like redis://127.0.0.1:6379")
    })
}

/// Runs a test in a house over the Redis of the tests.
pub(crate) async fn house(test: impl AsyncFnOnce(&House)) {
    let redis = redis_url();
    house_over(&redis, test).await;
}

/// Runs a test in a house whose API asks another Redis; `House::store` is that of the tests.
pub(crate) async fn house_over(redis: &str, test: impl AsyncFnOnce(&House)) {
    house_exposed(redis, Exposure::default(), test).await;
}

/// The same, where not everybody may come near.
pub(crate) async fn house_exposed(redis: &str, exposure: Exposure, test: impl AsyncFnOnce(&House)) {
    let namespace = format!("test-api-{}", WorkerId::random());
    let at = |url: &str| StoreConfig::new(url, namespace.clone());
    let store = Store::new(&at(&redis_url())).unwrap();
    if let Err(error) = store.ping().await {
        panic!("the Redis of CAPSTAN_TEST_REDIS_URL does not answer: {error}");
    }
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let (address, admin) = begin(at(redis), exposure, &shutdown, &mut tasks).await;
    let url = format!("http://{address}");
    let admin = format!("http://{admin}");
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let house = House { store, url, admin, client, shutdown };

    let outcome = AssertUnwindSafe(test(&house)).catch_unwind().await;
    house.shutdown.cancel();
    let ended = tokio::time::timeout(PATIENCE, tasks.join_next()).await;
    house.store.remove_namespace().await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert!(matches!(ended, Ok(Some(Ok(Ok(()))))), "the api ended with {ended:?}");
}

async fn begin(
    store: StoreConfig,
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
        telemetry: TelemetryConfig {
            admin_listen: Some(OptionalAddress(Some(admin))),
            log: "info".to_owned(),
        },
    };
    tasks.spawn(api::run_on(listener, config, shutdown.clone()));
    eventually(async || TcpStream::connect(admin).await.is_ok(), |there| *there).await;
    (address, admin)
}

/// An address that nobody listens on, and that nobody is given by chance meanwhile: all of
/// 127.0.0.0/8 is this machine, and the system gives away ports of 127.0.0.1 only.
pub(crate) fn free_address() -> SocketAddr {
    let [a, b, c, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    SocketAddr::from(([127, 1 + a % 254, b, c], 7391))
}

impl House {
    /// Asks for a path of the v0 surface.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.client.get(self.at(path))).await
    }

    /// Posts JSON to a path of the v0 surface.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.client.post(self.at(path)).json(body)).await
    }

    /// Sends JSON to a path of the v0 surface, to change what is there.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.client.patch(self.at(path)).json(body)).await
    }

    /// Posts nothing to a path of the v0 surface.
    pub(crate) async fn command(&self, path: &str) -> Answer {
        send(self.client.post(self.at(path))).await
    }

    /// Deletes what is at a path of the v0 surface.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.client.delete(self.at(path))).await
    }

    /// A job as it is shown.
    pub(crate) async fn show(&self, id: JobId) -> Value {
        let answer = self.get(&format!("/jobs/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Where a path of the v0 surface is.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/api/v0{path}", self.url)
    }

    /// Submits a job.
    pub(crate) async fn submit(&self, body: &Value) -> JobId {
        let answer = self.post("/jobs", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }
}

/// The id of a job that was answered.
pub(crate) fn id_of(job: &Value) -> JobId {
    job["id"].as_str().unwrap().parse().unwrap()
}

/// Sends a request and reads all of the answer, unless it is one that has no end.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let endless = status == 200 && response.url().path().trim_end_matches('/').ends_with("/events");
    let text = if endless { String::new() } else { response.text().await.unwrap() };
    Answer { status, headers, text }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status, code and message of a refusal, which must have the shape of the surface.
    pub(crate) fn refusal(&self) -> String {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap_or_else(|| panic!("no errors: {self:?}"));
        let [error] = &errors[..] else { panic!("not one error: {self:?}") };
        assert!(error["detail"].is_object(), "{self:?}");
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        format!("{} {} {}", self.status, text("code"), text("message"))
    }

    /// Status and code of a refusal.
    pub(crate) fn code(&self) -> String {
        self.refusal().split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// Where a refusal says that something is wrong.
    pub(crate) fn detail(&self) -> Value {
        self.json()["errors"][0]["detail"].clone()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Asks again and again until what is asked for is there; fails with what there was instead.
pub(crate) async fn eventually<T: std::fmt::Debug>(
    mut ask: impl AsyncFnMut() -> T,
    enough: impl Fn(&T) -> bool,
) -> T {
    let begin = Instant::now();
    loop {
        let found = ask().await;
        if enough(&found) {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "it never came true; at last: {found:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
