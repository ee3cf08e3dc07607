//! Somebody who has subscribed: listens on this machine, remembers what was sent, and answers as the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::task::JoinSet;

/// What was sent.
#[derive(Debug, Clone)]
pub struct Received {
    /// Where to.
    pub path: String,
    /// With which headers.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub body: Bytes,
}

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// Nothing.
    Never,
}

type Replying = Box<dyn FnMut(&[Received]) -> Reply + Send>;

struct Shared {
    received: Vec<Received>,
    reply: Replying,
}

/// Listens until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Answers 200 to everything.
    pub async fn new() -> Receiver {
        Receiver::replying(|_| Reply::Status(200)).await
    }

    /// Answers what is said for all that was received so far, the newest last.
    pub async fn replying(reply: impl FnMut(&[Received]) -> Reply + Send + 'static) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared { received: Vec::new(), reply: Box::new(reply) }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("the receiver serves") });
        Receiver { address, shared, _tasks: tasks }
    }

    /// The URL of a path of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All that was sent to a path so far.
    #[must_use]
    pub fn at(&self, path: &str) -> Vec<Received> {
        let shared = lock(&self.shared);
        shared.received.iter().filter(|one| one.path == path).cloned().collect()
    }
}

async fn take(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let reply = {
        let shared = &mut *lock(&shared);
        shared.received.push(Received { path: uri.path().to_owned(), headers, body });
        (shared.reply)(&shared.received)
    };
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).expect("a status"),
        Reply::Never => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::OK
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Received {
    /// A header as text; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// True when the message is signed with this secret, as the library of Standard Webhooks says.
    #[must_use]
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let webhook = Webhook::new(secret).expect("a secret");
        webhook.verify(&self.body, &self.headers).is_ok()
    }
}
