//! Jobs are searched for with terms, over HTTP.

use domain::job::JobId;
use serde_json::{Value, json};

use crate::env::{TestEnv, with_env};

/// Submits jobs and returns their ids, the latest due first.
async fn submit(env: &TestEnv) -> Vec<JobId> {
    let worker = env.worker("default=16", &["scan", "webhook"]).await;
    let jobs = [
        json!({"action": "scan", "parameters": {"host": "sw1", "ports": [22, 80]}}),
        json!({"action": "scan", "parameters": {"host": "sw2"}, "fairnessKey": "t7",
            "comment": "Before the move"}),
        json!({"action": "webhook", "parameters": {"url": "http://192.0.2.7/sw1",
            "headers": {"authorization": "Bearer hunter2"}}, "priority": "high"}),
        json!({"action": "scan", "ticketRef": "NET-1", "locks": ["device-sw1"],
            "labels": {"team": "network"}}),
    ];
    let mut ids = Vec::new();
    for (at, mut job) in jobs.into_iter().enumerate() {
        job["scheduledAt"] = json!(format!("2020-01-0{}T00:00:00Z", 9 - at));
        ids.push(env.submit(&job).await);
    }
    let token = env.claim(&worker, ids[0]).await;
    env.fail(ids[0], token).await;
    let token = env.claim(&worker, ids[1]).await;
    env.finish(ids[1], token, Some(json!({"found": "printer"}))).await;
    ids
}

async fn search(env: &TestEnv, query: &str) -> (Value, Option<String>) {
    let url = env.at("/jobs");
    let answer = crate::env::send(env.client.get(url).query(&[("q", query)])).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let total = answer.header("x-total-count").map(str::to_owned);
    (answer.json(), total)
}

#[tokio::test]
async fn a_search_finds_the_jobs_that_match_every_term() {
    with_env(async |env| {
        let ids = submit(env).await;
        let cases: [(&str, &[usize]); 24] = [
            ("", &[0, 1, 2, 3]),
            ("action:scan", &[0, 1, 3]),
            ("-action:scan", &[2]),
            ("action:scan status:error,done", &[0, 1]),
            ("status:done action:webhook", &[]),
            ("param.host:sw1", &[0]),
            ("param.ports:80 action:scan", &[0]),
            ("key:t7", &[1]),
            ("action:scan -key:t7", &[0, 3]),
            ("\"before the\"", &[1]),
            ("PRINTER", &[1]),
            ("sw1 -status:error", &[2]),
            ("priority:high", &[2]),
            ("ticket:NET-1", &[3]),
            ("lock:device-sw1", &[3]),
            ("label:team:network", &[3]),
            ("-label:team:network action:scan", &[0, 1]),
            ("by:unknown", &[0, 1, 2, 3]),
            ("by:ci", &[]),
            ("until:2020-01-07T00:00:00Z", &[2, 3]),
            ("until:2020-01-07T00:00:00Z sw1", &[2]),
            ("since:1h", &[]),
            // A search must not reveal what answers do not show.
            ("hunter2", &[]),
            ("param.headers.authorization:\"Bearer hunter2\"", &[]),
        ];
        for (query, expected) in cases {
            let (found, total) = search(env, query).await;
            let found = found["jobs"].as_array().unwrap().iter();
            let found: Vec<usize> = found
                .map(|job| {
                    let id: JobId = job["id"].as_str().unwrap().parse().unwrap();
                    ids.iter().position(|one| *one == id).unwrap()
                })
                .collect();
            assert_eq!(found, expected, "{query}");
            assert_eq!(total, Some(expected.len().to_string()), "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_of_a_search_has_the_total_of_all_pages_and_combines_with_filters() {
    with_env(async |env| {
        let ids = submit(env).await;
        let answer = env.get("/jobs?q=-key:t7&start=1&limit=1&sort=scheduledAt").await;
        assert_eq!(answer.json()["jobs"][0]["id"], json!(ids[2]));
        assert_eq!(answer.header("x-total-count"), Some("3"));
        let answer = env.get("/jobs?q=sw1&action=scan&status=error").await;
        assert_eq!(answer.header("x-total-count"), Some("1"));
        let answer = env.get("/jobs?q=action:scan&action=webhook").await;
        assert_eq!(answer.header("x-total-count"), Some("0"));
    })
    .await;
}

#[tokio::test]
async fn an_invalid_search_is_refused_with_its_position() {
    with_env(async |env| {
        for (query, message) in [
            ("q=status:error%20stat:x", "q: character 14: unknown key \"stat\"; the keys are"),
            ("q=status:finished", "q: character 8: status: \"finished\" is not a valid status"),
            ("q=%22open", "q: character 1: the quotation mark is not closed"),
            ("q=x&sort=-createdAt", "sort: -createdAt cannot be combined with q"),
        ] {
            let refusal = env.get(&format!("/jobs?{query}")).await.refusal();
            let expected = format!("400 INVALID_PARAMETERS {message}");
            assert!(refusal.starts_with(&expected), "{query}: {refusal}");
        }
    })
    .await;
}
