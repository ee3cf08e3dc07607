//! The audit log contains every change and nothing else, and does not delay requests.

use std::net::SocketAddr;

use api::Exposure;
use domain::access_tokens::Role;
use expect_test::expect;
use serde_json::{Value, json};
use store::{AUDIT_REFUSED_KEPT, AuditedChange};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::api_process::output_after;
use crate::env::{TestEnv, eventually, send, with_env, with_env_exposed, with_env_on};
use crate::redis_server::Redis;
use crate::token_files::{Tokens, with_tokens};

/// Waits until the audit log has this many matching entries, and returns them.
async fn audit(env: &TestEnv, query: &str, token: &str, count: usize) -> Vec<Value> {
    let path = format!("/audit?{query}");
    let read = async || {
        let answer = env.send_as("GET", &path, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["audit"].as_array().unwrap().clone()
    };
    eventually(read, |found| found.len() == count).await
}

fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    let (who, role, path) = (text("who"), text("role"), text("path"));
    format!("{who} ({role}): {} {path} -> {}\n", text("method"), entry["status"])
}

#[tokio::test]
async fn every_change_and_every_refused_one_is_recorded_and_nothing_else() {
    with_tokens(async |env, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        env.send_as("GET", "/jobs", vera).await;
        env.send_as("HEAD", "/jobs", vera).await;
        env.send_as("PUT", "/jobs", anna).await;
        env.send_as("POST", "/nowhere", anna).await;
        env.command("/jobs").await;
        env.send_as("POST", "/jobs", "capstan_wrong").await;

        let secret = json!({"action": "noop", "parameters": {"password": "hunter2"}});
        let job = send(env.request_as("POST", "/jobs", otto).json(&secret)).await.json();
        env.send_as("DELETE", "/jobs/no-uuid?token=hunter2", otto).await;
        env.send_as("POST", "/jobs/cancel?action=noop", otto).await;
        env.send_as("POST", "/jobs?token=hunter2", vera).await;
        let cron = json!({"action": "noop", "name": "nightly", "schedule": "@daily"});
        send(env.request_as("POST", "/crons", otto).json(&cron)).await;
        send(env.request_as("POST", "/crons", anna).json(&cron)).await;
        env.send_as("POST", "/crons/nightly/run", otto).await;

        let found = audit(env, "", anna, 7).await;
        expect![[r#"
            otto (operator): POST /api/v0/crons/nightly/run -> 202
            anna (admin): POST /api/v0/crons -> 202
            otto (operator): POST /api/v0/crons -> 403
            vera (viewer): POST /api/v0/jobs -> 403
            otto (operator): POST /api/v0/jobs/cancel -> 202
            otto (operator): DELETE /api/v0/jobs/no-uuid -> 404
            otto (operator): POST /api/v0/jobs -> 202
        "#]]
        .assert_eq(&found.iter().map(line).collect::<String>());
        assert_eq!((&found[6]["subject"], &found[1]["subject"]), (&job["id"], &json!("nightly")));
        assert_eq!(
            (&found[4]["query"], &found[6]["from"]),
            (&json!("action=noop"), &json!("127.0.0.1"))
        );
        assert!(!json!(found).to_string().contains("hunter2"), "{found:#?}");
    })
    .await;
}

#[tokio::test]
async fn entries_are_filtered_by_name_and_time_and_read_in_pages() {
    with_tokens(async |env, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        for _ in 0..3 {
            env.send_as("POST", "/jobs/cancel?action=noop", otto).await;
            env.send_as("POST", "/jobs/cancel?action=noop", vera).await;
        }
        let all = audit(env, "", anna, 6).await;
        assert_eq!(audit(env, "start=1&limit=2", anna, 2).await, all[1..3]);
        assert_eq!(audit(env, "start=6", anna, 0).await, [] as [Value; 0]);
        let of_otto = audit(env, "who=otto", anna, 3).await;
        assert!(of_otto.iter().all(|entry| entry["who"] == "otto"));
        let answer = env.send_as("GET", "/audit?who=vera&limit=1", anna).await;
        assert_eq!(answer.header("x-total-count"), Some("3"));
        let since = all[2]["at"].as_str().unwrap();
        let expected = all.iter().filter(|entry| entry["at"].as_str().unwrap() >= since).count();
        audit(env, &format!("since={since}"), anna, expected).await;
        audit(env, "since=2100-01-01T00:00:00Z", anna, 0).await;
        for wrong in ["limit=1001", "since=yesterday", "start=-1", "name=otto"] {
            let answer = env.send_as("GET", &format!("/audit?{wrong}"), anna).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn changes_are_recorded_without_tokens_too() {
    with_env(async |env| {
        env.submit(&json!({"action": "noop"})).await;
        let found = audit(env, "", "", 1).await;
        assert_eq!(line(&found[0]), "unknown (): POST /api/v0/jobs -> 202\n");
    })
    .await;
}

#[tokio::test]
async fn the_client_address_is_taken_from_a_trusted_proxy() {
    let tokens = Tokens::new();
    let exposure =
        Exposure { trusted_proxies: "127.0.0.0/8".parse().unwrap(), ..tokens.exposure() };
    with_env_exposed(&crate::env::redis_url(), exposure, async |env| {
        let request = env.request_as("POST", "/jobs/cancel?action=a", tokens.of(Role::Operator));
        send(request.header("x-forwarded-for", "6.6.6.6, 198.51.100.7")).await;
        let found = audit(env, "", tokens.of(Role::Admin), 1).await;
        assert_eq!(found[0]["from"], "198.51.100.7");
    })
    .await;
}

#[tokio::test]
async fn a_viewer_cannot_erase_the_audit() {
    with_tokens(async |env, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        env.send_as("POST", "/jobs/cancel?action=noop", otto).await;
        env.send_as("POST", "/jobs?token=hunter2", vera).await;
        let refused = audit(env, "refused=true", anna, 1).await;
        assert_eq!(line(&refused[0]), "vera (viewer): POST /api/v0/jobs -> 403\n");
        // Many such requests.
        let change = AuditedChange {
            who: "vera".to_owned(),
            role: "viewer".to_owned(),
            from: "192.0.2.1".to_owned(),
            method: "POST".to_owned(),
            path: "/api/v0/jobs".to_owned(),
            status: 403,
            ..AuditedChange::default()
        };
        for _ in 0..12 {
            env.store.audit(&vec![change.clone(); 1_000]).await.unwrap();
        }
        let changes = audit(env, "refused=false", anna, 1).await;
        assert_eq!(line(&changes[0]), "otto (operator): POST /api/v0/jobs/cancel -> 202\n");
        let all = env.send_as("GET", "/audit?limit=1", anna).await;
        let total: usize = all.header("x-total-count").unwrap().parse().unwrap();
        assert!((AUDIT_REFUSED_KEPT..AUDIT_REFUSED_KEPT + 200).contains(&total), "{total}");
    })
    .await;
}

#[tokio::test]
async fn each_entry_is_a_log_line_without_a_body() {
    let tokens = Tokens::new();
    let path = tokens.path();
    let flags = ["--tokens", path.to_str().unwrap()];
    let request = async |address: SocketAddr| {
        let url = format!("http://{address}/api/v0/jobs?token=hunter2");
        let body = json!({"action": "noop", "parameters": {"password": "hunter2"}});
        let request = reqwest::Client::new().post(url).bearer_auth(tokens.of(Role::Viewer));
        assert_eq!(send(request.json(&body)).await.status, 403);
    };
    let text = output_after(&flags, "a request to change something", request).await;
    let line = text.lines().find(|line| line.contains("a request to change something")).unwrap();
    for part in ["INFO", "audit", "vera", "viewer", "POST", "/api/v0/jobs", "403"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn entries_neither_delay_requests_nor_are_lost_while_redis_hangs() {
    let redis = Redis::start().await;
    with_env_on(&redis.url(), async |env| {
        env.submit(&json!({"action": "noop"})).await;
        audit(env, "", "", 1).await;
        redis.freeze().await;
        // The request does not need the store, so it would hang only if it waited for its entry.
        assert_eq!(env.post("/jobs", &json!({})).await.code(), "400 INVALID_PARAMETERS");
        let answer = env.post("/jobs", &json!({"action": "noop"})).await;
        assert_eq!(answer.code(), "503 UNAVAILABLE");
        // This client disconnects before the response.
        let address = env.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head =
            "POST /api/v0/crons/gc/run HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        drop(connection);
        redis.thaw().await;
        let statuses = async || {
            let answer = env.get("/audit").await;
            let entries = answer.json()["audit"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|entry| entry["status"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let expected = [202, 400, 499, 503];
        eventually(statuses, |found| expected.iter().all(|one| found.contains(one))).await;
    })
    .await;
}
