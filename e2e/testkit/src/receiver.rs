//! An HTTP server that receives webhooks: it records the requests and answers as the test decides.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::task::JoinSet;

/// A request that was received.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path of its URL.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, unparsed.
    pub body: Bytes,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// A response with this status.
    Status(u16),
    /// No response.
    Never,
}

type Replying = Box<dyn FnMut(&[Received]) -> Reply + Send>;

struct Shared {
    received: Vec<Received>,
    reply: Replying,
}

/// A server on a free port of this machine. Dropping it stops it.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Starts a server that answers 200 to every request.
    pub async fn new() -> Receiver {
        Receiver::replying(|_| Reply::Status(200)).await
    }

    /// Starts a server whose answers are computed from all requests received so far, newest last.
    pub async fn replying(reply: impl FnMut(&[Received]) -> Reply + Send + 'static) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let shared = Arc::new(Mutex::new(Shared { received: Vec::new(), reply: Box::new(reply) }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("the receiver serves") });
        Receiver { address, shared, _tasks: tasks }
    }

    /// The URL of a path on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests that a path has received so far.
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
        Reply::Status(status) => StatusCode::from_u16(status).expect("the status is valid"),
        Reply::Never => std::future::pending().await,
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Received {
    /// The value of a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The id of the message.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Whether the message has a valid Standard Webhooks signature of this secret.
    #[must_use]
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let webhook = Webhook::new(secret).expect("the secret is valid");
        webhook.verify(&self.body, &self.headers).is_ok()
    }
}
