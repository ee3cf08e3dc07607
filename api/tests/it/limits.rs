//! Limits of connections, request heads and bodies. Other clients must be served at a limit. Most
//! tests use a separate process.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use api::Exposure;
use reqwest::Client;
use reqwest::header::HeaderValue;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::api_process::Process;
use crate::env::{Answer, TIMEOUT, eventually, redis_url, send, with_env, with_env_exposed};

/// Connects from another address of this machine.
async fn connect_from(from: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::from(from)), 0).into())?;
    socket.connect(to).await
}

/// Sends text, and reads the response until the server closes the connection.
async fn exchange(address: SocketAddr, text: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    // The server may refuse it before all of it is sent.
    let _ = connection.write_all(text).await;
    let mut bytes = Vec::new();
    let reading = connection.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(TIMEOUT, reading).await.expect("the server answers");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn get(headers: &str) -> String {
    format!("GET /api/v0/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn slow_connections_do_not_delay_others_and_are_closed() {
    let api = Process::start(&[]).await;
    let mut slow = Vec::new();
    for at in 0..2_000 {
        let from = [127, 0, 1, 1 + (at % 4) as u8];
        let mut connection = connect_from(from, api.address).await.unwrap();
        connection.write_all(b"GET /api/v0/jobs HTTP/1.1\r\nho").await.unwrap();
        slow.push(connection);
    }
    let found = exchange(api.address, get("").as_bytes()).await;
    assert!(found.starts_with("HTTP/1.1 200"), "{found}");
    // Their heads are never complete, so the service closes them.
    let closing = async {
        for connection in &mut slow {
            let _ = connection.read_to_end(&mut Vec::new()).await;
        }
    };
    tokio::time::timeout(2 * TIMEOUT, closing).await.expect("slow connections are closed");
}

#[tokio::test]
async fn an_address_at_its_limit_is_refused_and_others_are_served() {
    let api = Process::start(&["--max-connections-per-address", "3"]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect_from([127, 0, 1, 1], api.address).await.unwrap());
    }
    let is_refused = async || {
        let mut connection = connect_from([127, 0, 1, 1], api.address).await.unwrap();
        let _ = connection.write_all(get("").as_bytes()).await;
        connection.read(&mut [0; 64]).await.unwrap_or(0) == 0
    };
    eventually(is_refused, |refused| *refused).await;
    assert!(exchange(api.address, get("").as_bytes()).await.starts_with("HTTP/1.1 200"));
    held.clear();
    eventually(is_refused, |refused| !*refused).await;
}

#[tokio::test]
async fn at_the_total_limit_the_address_with_the_most_connections_loses_some() {
    let flags = ["--max-connections", "12", "--max-connections-per-address", "6"];
    let api = Process::start(&flags).await;
    let mut held = Vec::new();
    for at in 0..12 {
        let mut connection = connect_from([127, 0, 1, 1 + at % 2], api.address).await.unwrap();
        connection.write_all(b"GET /api/v0/jobs HTTP/1.1\r\nho").await.unwrap();
        held.push(connection);
    }
    // Each of these addresses has fewer than six connections. The oldest of the others stay open.
    for at in 2..6 {
        let mut connection = connect_from([127, 0, 1, 1 + at], api.address).await.unwrap();
        connection.write_all(get("").as_bytes()).await.unwrap();
        let mut found = [0; 12];
        connection.read_exact(&mut found).await.unwrap();
        assert_eq!(&found, b"HTTP/1.1 200");
        held.push(connection);
    }
    for connection in &mut held[..2] {
        connection.write_all(b"st: 127.0.0.1\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut found = [0; 12];
        connection.read_exact(&mut found).await.unwrap();
        assert_eq!(&found, b"HTTP/1.1 200");
    }
}

/// Submits as many jobs as a page has, of which the page takes about 18 MiB.
async fn submit_large_jobs(address: SocketAddr) {
    let text = "x".repeat(18 * 1024);
    let job = json!({"action": "noop", "parameters": {"text": text}});
    for _ in 0..2 {
        let jobs = json!({"jobs": vec![&job; 500]});
        let batch = Client::new().post(format!("http://{address}/api/v0/jobs/batch")).json(&jobs);
        assert_eq!(send(batch).await.status, 202);
    }
}

#[tokio::test]
async fn pages_that_nobody_reads_take_little_memory_and_a_page_that_is_read_is_whole() {
    let api = Process::start(&[]).await;
    submit_large_jobs(api.address).await;
    let before = api.peak_memory_mib();
    let mut unread = Vec::new();
    for path in ["/api/v0/jobs?limit=1000", "/api/v1.0/jobs?per_page=1000"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        for _ in 0..20 {
            let mut connection = TcpStream::connect(api.address).await.unwrap();
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut head = [0; 12];
            connection.read_exact(&mut head).await.unwrap();
            assert_eq!(&head, b"HTTP/1.1 200");
            unread.push(connection);
        }
        let page = send(Client::new().get(format!("http://{}{path}", api.address))).await.json();
        let jobs = page.get("jobs").unwrap_or(&page["data"]["jobs"]).as_array().unwrap().clone();
        let numbers: BTreeSet<String> = jobs.iter().map(|job| job["id"].to_string()).collect();
        assert_eq!((jobs.len(), numbers.len()), (1_000, 1_000), "{path}");
    }
    // Whole pages would take 40 times 18 MiB.
    let more = api.peak_memory_mib() - before;
    assert!(more < 200, "{more} MiB more");
    drop(unread);
    api.remove_jobs().await;
}

#[tokio::test]
async fn a_request_head_that_is_too_large_is_answered_431() {
    let api = Process::start(&[]).await;
    let long = format!("x: {}\r\n", "a".repeat(100 * 1024));
    let endless = format!("GET /{} HTTP/1.1\r\n", "a".repeat(60 * 1024));
    let flood: String = (0..200).map(|at| format!("x{at}: a\r\n")).collect();
    for text in [get(&long), get(&flood), endless] {
        let found = exchange(api.address, text.as_bytes()).await;
        let start = &text[..text.len().min(60)];
        assert!(found.starts_with("HTTP/1.1 431"), "{start}: {found}");
    }
    let some: String = (0..50).map(|at| format!("x{at}: {}\r\n", "a".repeat(500))).collect();
    assert!(exchange(api.address, get(&some).as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_flood_of_heads_and_bodies_is_refused_and_others_are_served() {
    let api = Process::start(&[]).await;
    let deep = format!(r#"{{"jobs": {}"#, "[".repeat(2 * 1024 * 1024));
    let nested = format!(r#"{{"action": "a", "parameters": {}"#, r#"{"a":"#.repeat(100_000));
    let client = Client::builder().timeout(TIMEOUT).build().unwrap();
    // Together they exceed the budget of all bodies.
    let is_refused = |answer: &Answer| matches!(answer.status, 400 | 503);
    let mut requests = JoinSet::new();
    for at in 0..200 {
        let path = if at % 2 == 0 { "jobs/batch" } else { "jobs" };
        let body = if at % 2 == 0 { deep.clone() } else { nested.clone() };
        let request = client.post(format!("http://{}/api/v0/{path}", api.address));
        requests.spawn(send(request.header("x", "a".repeat(20_000)).body(body)));
        if requests.len() == 20 {
            assert!(is_refused(&requests.join_next().await.unwrap().unwrap()));
        }
    }
    for answer in requests.join_all().await {
        assert!(is_refused(&answer), "{}", answer.text);
    }
    assert!(exchange(api.address, get("").as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bodies_beyond_the_total_budget_are_answered_503_and_others_are_served() {
    let api = Process::start(&[]).await;
    let half = 9 * 1024 * 1024;
    let head = format!(
        "POST /api/v0/jobs/batch HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {}\r\n\r\n",
        half + 1
    );
    let mut sending = JoinSet::new();
    for _ in 0..20 {
        let (address, head) = (api.address, head.clone());
        sending.spawn(async move {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(head.as_bytes()).await.unwrap();
            // A refused client may not be able to send everything.
            let _ = connection.write_all(&vec![b' '; half]).await;
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).await.map(|_| answer)
        });
    }
    // The budget suffices for seven, which then wait for the last byte.
    for _ in 0..13 {
        let next = tokio::time::timeout(TIMEOUT, sending.join_next()).await.unwrap();
        // The refusal may be lost, because it comes before everything is sent.
        let answer = next.unwrap().unwrap();
        assert!(answer.is_err() || answer.is_ok_and(|answer| &answer == b"HTTP/1.1 503"));
    }
    assert!(exchange(api.address, get("").as_bytes()).await.starts_with("HTTP/1.1 200"));
    sending.shutdown().await;
    let client = Client::builder().timeout(TIMEOUT).build().unwrap();
    let url = format!("http://{}/api/v0/jobs", api.address);
    let submit = async || send(client.post(&url).json(&json!({"action": "noop"}))).await;
    eventually(submit, |answer| answer.status == 202).await;
}

#[tokio::test]
async fn a_body_with_too_many_values_is_refused() {
    let api = Process::start(&[]).await;
    let client = Client::builder().timeout(TIMEOUT).build().unwrap();
    let url = format!("http://{}/api/v0/jobs", api.address);
    // Each of these objects would become a tree when it is parsed.
    let dense = format!(r#"{{"jobs":[{{}}{}]}}"#, r#",{"":0}"#.repeat(1 << 19));
    let refused = send(client.post(format!("{url}/batch")).body(dense)).await;
    let why = "400 INVALID_PARAMETERS body: it has too many values for one request";
    assert!(refused.refusal().starts_with(why), "{}", refused.text);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_never_answered_500() {
    with_env(async |env| {
        let address: SocketAddr = env.url.trim_start_matches("http://").parse().unwrap();
        let heads: [&[u8]; 7] = [
            b"GET /api/v0/jobs/\xff\xfe HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n",
            b"GET /api/v0/jobs?action=%ff%fe HTTP/1.1\r\nhost: 127.0.0.1\r\n\
                connection: close\r\n\r\n",
            b"GET /api/v0/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nx: \xff\xfe\r\n\
                connection: close\r\n\r\n",
            b"GET /api/v0/jobs HTTP/1.1\r\nhost: \xff\r\nconnection: close\r\n\r\n",
            b"GET /api/v0/jobs HTTP/1.1\r\nh\xc3\xb6st: a\r\n\r\n",
            b"\xff\xff\xff\xff\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ];
        for head in heads {
            let found = exchange(address, head).await;
            let code = found.strip_prefix("HTTP/1.1 ").unwrap_or("4");
            assert!(code.starts_with(['2', '4']), "{}: {found}", String::from_utf8_lossy(head));
        }
        let bytes = HeaderValue::from_bytes(b"Bearer \xff").unwrap();
        let request = env.client.get(env.at("/jobs")).header("authorization", bytes);
        assert_eq!(send(request).await.status, 200);
        let request = env.client.post(env.at("/jobs")).body(b"{\"action\": \"\xff\"}".to_vec());
        assert_eq!(send(request).await.code(), "400 INVALID_JSON");
    })
    .await;
}

#[tokio::test]
async fn every_answer_has_security_headers_and_no_server_name() {
    with_env(async |env| {
        for path in ["/jobs", "/docs.json", "/nowhere", "/jobs/1"] {
            let answer = env.get(path).await;
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert_eq!(answer.header("server"), None);
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    })
    .await;
}

#[tokio::test]
async fn only_pages_of_configured_origins_can_use_the_api() {
    let tokens = crate::token_files::Tokens::new();
    let ours = "https://ops.example.org";
    let exposure = Exposure { cors_origins: ours.parse().unwrap(), ..tokens.exposure() };
    with_env_exposed(&redis_url(), exposure, async |env| {
        let preflight = async |origin: &str| {
            let request = env.client.request("OPTIONS".parse().unwrap(), env.at("/jobs"));
            let request = request.header("origin", origin);
            let request = request.header("access-control-request-method", "POST");
            send(request.header("access-control-request-headers", "authorization")).await
        };
        let answer = preflight(ours).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ours));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let answer = preflight("https://evil.example.org").await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let request = env.client.get(env.at("/jobs")).header("origin", ours);
        let answer = send(request).await;
        assert_eq!(answer.code(), "401 NOT_AUTHENTICATED");
        assert_eq!(answer.header("access-control-allow-origin"), Some(ours));
    })
    .await;
}

#[tokio::test]
async fn an_open_request_is_answered_at_shutdown() {
    with_env(async |env| {
        let address = env.url.trim_start_matches("http://");
        let body = json!({"action": "noop"}).to_string();
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/v0/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        // The handler waits for the body, so the request is open.
        let mut interim = [0; 25];
        connection.read_exact(&mut interim).await.unwrap();
        assert!(interim.starts_with(b"HTTP/1.1 100"));
        env.shutdown.cancel();
        let refused = async || TcpStream::connect(address).await.is_err();
        eventually(refused, |refused| *refused).await;
        connection.write_all(body.as_bytes()).await.unwrap();
        let mut found = String::new();
        connection.read_to_string(&mut found).await.unwrap();
        assert!(found.starts_with("HTTP/1.1 202"), "{found}");
    })
    .await;
}
