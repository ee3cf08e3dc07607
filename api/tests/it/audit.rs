//! Who changed what: every change is written down, nothing else is, and nobody waits for it.

use std::time::{Duration, Instant};

use api::Exposure;
use expect_test::expect;
use serde_json::{Value, json};
use shared::store::{AUDIT_KEPT, AuditedChange};
use shared::tokens::Role;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::house::{House, eventually, house, house_exposed, house_over, send};
use crate::redis::Redis;
use crate::tokens::{Tokens, guarded};

/// The audit, when it has so many entries.
async fn audit(house: &House, query: &str, token: &str, count: usize) -> Vec<Value> {
    let path = format!("/audit?{query}");
    let ask = async || {
        let answer = house.asked("GET", &path, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["audit"].as_array().unwrap().clone()
    };
    eventually(ask, |found| found.len() == count).await
}

fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    let (who, role, path) = (text("who"), text("role"), text("path"));
    format!("{who} ({role}): {} {path} -> {}\n", text("method"), entry["status"])
}

#[tokio::test]
async fn every_change_is_written_down_done_or_refused_and_nothing_else() {
    guarded(async |house, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        house.asked("GET", "/jobs", vera).await;
        house.asked("HEAD", "/jobs", vera).await;
        house.asked("PUT", "/jobs", anna).await;
        house.asked("POST", "/nowhere", anna).await;
        house.command("/jobs").await;
        house.asked("POST", "/jobs", "capstan_wrong").await;

        let secret = json!({"action": "noop", "parameters": {"password": "hunter2"}});
        let job = send(house.asks("POST", "/jobs", otto).json(&secret)).await.json();
        house.asked("DELETE", "/jobs/no-uuid?token=hunter2", otto).await;
        house.asked("POST", "/jobs/cancel?action=noop", otto).await;
        house.asked("POST", "/jobs?token=hunter2", vera).await;
        let cron = json!({"action": "noop", "name": "nightly", "schedule": "@daily"});
        send(house.asks("POST", "/crons", otto).json(&cron)).await;
        send(house.asks("POST", "/crons", anna).json(&cron)).await;
        house.asked("POST", "/crons/nightly/run", otto).await;

        let found = audit(house, "", anna, 7).await;
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
async fn the_audit_is_read_in_pages_by_who_and_since() {
    guarded(async |house, tokens| {
        let [vera, otto, anna] = Role::ALL.map(|role| tokens.of(role));
        for _ in 0..3 {
            house.asked("POST", "/jobs/cancel?action=noop", otto).await;
            house.asked("POST", "/jobs/cancel?action=noop", vera).await;
        }
        let all = audit(house, "", anna, 6).await;
        assert_eq!(audit(house, "start=1&limit=2", anna, 2).await, all[1..3]);
        assert_eq!(audit(house, "start=6", anna, 0).await, [] as [Value; 0]);
        let of_otto = audit(house, "who=otto", anna, 3).await;
        assert!(of_otto.iter().all(|entry| entry["who"] == "otto"));
        let answer = house.asked("GET", "/audit?who=vera&limit=1", anna).await;
        assert_eq!(answer.header("x-total-count"), Some("3"));
        let since = all[2]["at"].as_str().unwrap();
        let expected = all.iter().filter(|entry| entry["at"].as_str().unwrap() >= since).count();
        audit(house, &format!("since={since}"), anna, expected).await;
        audit(house, "since=2100-01-01T00:00:00Z", anna, 0).await;
        for wrong in ["limit=1001", "since=yesterday", "start=-1", "name=otto"] {
            let answer = house.asked("GET", &format!("/audit?{wrong}"), anna).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn where_nobody_says_who_they_are_changes_are_written_down_too() {
    house(async |house| {
        house.submit(&json!({"action": "noop"})).await;
        let found = audit(house, "", "", 1).await;
        assert_eq!(line(&found[0]), "unknown (): POST /api/v0/jobs -> 202\n");
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_whom_it_speaks_for() {
    let tokens = Tokens::new();
    let exposure =
        Exposure { trusted_proxies: "127.0.0.0/8".parse().unwrap(), ..tokens.exposure() };
    house_exposed(&crate::house::redis_url(), exposure, async |house| {
        let request = house.asks("POST", "/jobs/cancel?action=a", tokens.of(Role::Operator));
        send(request.header("x-forwarded-for", "6.6.6.6, 198.51.100.7")).await;
        let found = audit(house, "", tokens.of(Role::Admin), 1).await;
        assert_eq!(found[0]["from"], "198.51.100.7");
    })
    .await;
}

#[tokio::test]
async fn the_audit_is_bounded() {
    house(async |house| {
        let change = AuditedChange {
            who: "ci".to_owned(),
            role: String::new(),
            from: "192.0.2.1".to_owned(),
            method: "POST".to_owned(),
            path: "/api/v0/jobs".to_owned(),
            query: String::new(),
            status: 202,
            subject: String::new(),
        };
        for _ in 0..12 {
            house.store.audit(&vec![change.clone(); 1_000]).await.unwrap();
        }
        let answer = house.get("/audit?limit=1&start=9999").await;
        assert_eq!(answer.json()["audit"].as_array().unwrap().len(), 1);
        let total: usize = answer.header("x-total-count").unwrap().parse().unwrap();
        assert!((AUDIT_KEPT..AUDIT_KEPT + 200).contains(&total), "{total}");
    })
    .await;
}

#[tokio::test]
async fn no_request_waits_for_its_entry_and_none_is_lost_while_redis_hangs() {
    let redis = Redis::start().await;
    house_over(&redis.url(), async |house| {
        house.submit(&json!({"action": "noop"})).await;
        audit(house, "", "", 1).await;
        redis.freeze().await;
        let begin = Instant::now();
        // It asks the store nothing, and would hang if its entry were waited for.
        assert_eq!(house.post("/jobs", &json!({})).await.code(), "400 INVALID_PARAMETERS");
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        let answer = house.post("/jobs", &json!({"action": "noop"})).await;
        assert_eq!(answer.code(), "503 UNAVAILABLE");
        // Somebody asks, and does not wait for the answer.
        let address = house.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = "POST /api/v0/crons/gc/run HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        drop(connection);
        redis.thaw().await;
        let statuses = async || {
            let answer = house.get("/audit").await;
            let entries = answer.json()["audit"].as_array().cloned().unwrap_or_default();
            entries.iter().map(|entry| entry["status"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let wanted = [202, 400, 499, 503];
        eventually(statuses, |found| wanted.iter().all(|one| found.contains(one))).await;
    })
    .await;
}
