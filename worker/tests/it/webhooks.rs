//! Webhooks, with a receiver on this machine: signatures, retries, redirects, private addresses.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use domain::job::{Cancellation, Status};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::env::WorkerEnv;

type Received = Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>;

/// A server whose responses depend on the path. Dropping it stops it.
struct TestServer {
    address: SocketAddr,
    received: Received,
    _tasks: JoinSet<()>,
}

impl TestServer {
    async fn new() -> TestServer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&received));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        TestServer { address, received, _tasks: tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn count(&self, path: &str) -> usize {
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
        received.push((path.clone(), headers, body));
        before
    };
    let to = |status: u16, location: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("location", location.to_owned())]).into_response()
    };
    match path.as_str() {
        "/later" if before == 0 => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response()
        }
        "/broken" => StatusCode::BAD_GATEWAY.into_response(),
        "/patient" => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "3600")]).into_response(),
        "/no" => (StatusCode::FORBIDDEN, "you may not").into_response(),
        "/slow" => std::future::pending().await,
        "/elsewhere" => to(307, "/there"),
        "/found" => to(302, "/there"),
        "/round" => to(308, "/round"),
        "/inside" => to(307, "http://127.0.0.2:9/"),
        "/metadata" => to(307, "http://169.254.169.254/latest/meta-data"),
        "/large" => "x".repeat(1_000_000).into_response(),
        _ => ([("x-answer", "yes")], "thank you").into_response(),
    }
}

fn flags(env: &WorkerEnv, receiver: &TestServer) -> Vec<String> {
    let key = env.directory.join("key");
    std::fs::write(&key, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let mut flags = env.flags(&format!(
        r#"[actions.notify]
        webhook = {{ url = "{}", secret = "{}", headers = {{ authorization = {{ secret = "{1}" }} }} }}
        [actions.impatient]
        webhook = {{ url = "{}", timeout = "200ms", tries = 1 }}
        [actions.broken]
        webhook = {{ url = "{}", tries = 2 }}"#,
        receiver.url("/hook"),
        key.display(),
        receiver.url("/slow"),
        receiver.url("/broken"),
    ));
    flags.push("--webhook-allow=127.0.0.1".to_owned());
    flags
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_signed_and_its_response_is_logged() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let flags = flags(&env, &receiver);
    let worker = env.worker_with(&flags);
    let parameters = json!({"type": "user.created", "data": {"id": 7}});
    let job = env.succeed("notify", &parameters).await;
    assert_eq!(job.result, Some(json!({"status": 200, "tries": 1})));
    let log = env.log(job.id).await;
    assert_eq!(log[0], "stdout: HTTP/1.1 200 OK");
    assert!(log.contains(&"stdout: x-answer: yes".to_owned()), "{log:?}");
    assert_eq!(log.last().unwrap(), "stdout: thank you");
    let (_, headers, body) = receiver.received.lock().unwrap()[0].clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), parameters);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("webhook-id"), job.id.to_string());
    assert_eq!(header("authorization"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signed = format!("{}.{}.", job.id, header("webhook-timestamp"));
    assert_eq!(header("webhook-signature"), expected_signature(&signed, &body).await);
    worker.stop().await;
    env.close().await;
}

/// The signature as an independent implementation computes it.
async fn expected_signature(signed: &str, body: &[u8]) -> String {
    let program = "import base64,hmac,sys;k=base64.b64decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');\
        m=sys.argv[1].encode()+sys.argv[2].encode();\
        print('v1,'+base64.b64encode(hmac.new(k,m,'sha256').digest()).decode())";
    let body = std::str::from_utf8(body).unwrap();
    let mut command = tokio::process::Command::new("python3");
    let output = command.args(["-c", program, signed, body]).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_errors_are_tried_again_and_permanent_ones_are_not() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let flags = flags(&env, &receiver);
    let worker = env.worker_with(&flags);
    let to = |path: &str| json!({"url": receiver.url(path), "body": 1});
    let job = env.succeed("webhook", &to("/later")).await;
    assert_eq!(job.result, Some(json!({"status": 200, "tries": 2})));
    let ids: Vec<_> = receiver
        .received
        .lock()
        .unwrap()
        .iter()
        .map(|(_, headers, _)| headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "both tries have the same id");

    let job = env.succeed("webhook", &to("/elsewhere")).await;
    assert_eq!(receiver.count("/there"), 1, "{:?}", job.result);
    let job = env.succeed("webhook", &to("/large")).await;
    assert!(env.log(job.id).await.last().unwrap().starts_with("capstan: response body cut"));

    let cases = [
        ("webhook", to("/no"), "HttpStatus", "the receiver answered 403 Forbidden"),
        ("webhook", to("/found"), "HttpStatus", "the receiver answered 302 Found"),
        ("webhook", to("/round"), "Redirected", "the receiver redirects more than 3 times"),
        ("webhook", to("/patient"), "HttpStatus", "the receiver answered 503"),
        ("broken", json!({}), "HttpStatus", "the receiver answered 502"),
        ("impatient", json!({}), "Timeout", ""),
    ];
    for (action, parameters, kind, message) in cases {
        let failed = env.fail(action, &parameters).await;
        assert_eq!(failed.0, kind, "{parameters}");
        assert!(failed.1.starts_with(message), "{parameters}: {}", failed.1);
    }
    assert_eq!((receiver.count("/broken"), receiver.count("/patient")), (2, 1));

    let id = env.submit("webhook", &to("/slow")).await;
    let arrived = async || receiver.count("/slow") == 2;
    env.eventually("the request arrives", arrived).await;
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(id).await.status, Status::Cancel);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_also_behind_a_name_or_a_redirect() {
    let env = WorkerEnv::new().await;
    let receiver = TestServer::new().await;
    let flags = flags(&env, &receiver);
    let worker = env.worker_with(&flags);
    let port = receiver.address.port();
    let urls = [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        format!("http://127.0.0.2:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        "http://10.0.0.1/".to_owned(),
        receiver.url("/inside"),
        receiver.url("/metadata"),
    ];
    for url in urls {
        let failed = env.fail("webhook", &json!({"url": url})).await;
        assert_eq!(failed.0, "ForbiddenAddress", "{url}: {}", failed.1);
    }
    worker.stop().await;
    // Without the permission a name for this machine is refused too.
    let worker = env.worker_with(&["--capacity=cpu=1"]);
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("http://{host}:{port}/hook");
        let failed = env.fail("webhook", &json!({"url": url})).await;
        assert_eq!(failed.0, "ForbiddenAddress", "{host}: {}", failed.1);
    }
    assert_eq!(receiver.count("/hook"), 0);
    worker.stop().await;
    env.close().await;
}
