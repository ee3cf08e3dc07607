//! A receiver of webhooks on this machine whose responses depend on the path.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinSet;

type Received = Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>;

/// A server whose responses depend on the path. Dropping it stops it.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) received: Received,
    _tasks: JoinSet<()>,
}

impl TestServer {
    pub(crate) async fn new() -> TestServer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&received));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        TestServer { address, received, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The headers of the requests that a path has received.
    pub(crate) fn headers_of(&self, path: &str) -> Vec<HeaderMap> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .filter(|(at, ..)| at == path)
            .map(|(_, headers, _)| headers.clone())
            .collect()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.received.lock().unwrap().iter().filter(|(at, ..)| at == path).count()
    }
}

async fn answer(
    State(received): State<Received>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let before = {
        let mut received = received.lock().unwrap();
        let before = received.iter().filter(|(at, ..)| *at == path).count();
        received.push((path.clone(), headers.clone(), body));
        before
    };
    let to = |status: u16, location: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("location", location.to_owned())]).into_response()
    };
    let query = uri.query().unwrap_or_default();
    match path.as_str() {
        "/later" if before == 0 => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response()
        }
        "/busy" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response(),
        "/broken" => StatusCode::BAD_GATEWAY.into_response(),
        "/patient" => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "3600")]).into_response(),
        "/no" => (StatusCode::FORBIDDEN, "you may not").into_response(),
        "/slow" => std::future::pending().await,
        "/elsewhere" => to(307, "/there"),
        "/found" => to(302, "/there"),
        "/round" => to(308, "/round"),
        "/inside" => to(307, "http://127.0.0.2:9/"),
        "/metadata" => to(307, "http://169.254.169.254/latest/meta-data"),
        "/redirect" => to(307, query),
        "/second" if before == 0 => StatusCode::FORBIDDEN.into_response(),
        "/echo" => echo(&headers),
        "/large" => "x".repeat(1_000_000).into_response(),
        _ => ([("x-answer", "yes")], "thank you").into_response(),
    }
}

/// Repeats credentials in a header and in the body, with and without the scheme.
fn echo(headers: &HeaderMap) -> Response {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (authorization, key) = (text("authorization"), text("x-api-key"));
    let token = authorization.trim_start_matches("Bearer ");
    let body = format!("you sent <{authorization}> and token <{token}> and <{key}>");
    ([("x-echo", key)], body).into_response()
}
