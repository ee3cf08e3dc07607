//! Time series and failures over HTTP.

use domain::job::Exception;
use domain::job::Outcome;
use serde_json::{Value, json};

use crate::env::{TestEnv, with_env};

/// The sum of the counts of a series.
async fn total(env: &TestEnv, query: &str) -> u64 {
    let answer = env.get(&format!("/metrics/series?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let points = answer.json()["points"].as_array().unwrap().clone();
    points.iter().map(|point| point["count"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_series_counts_jobs_per_action_and_class() {
    with_env(async |env| {
        let worker = env.worker("default=16,cpu=4", &["noop", "scan"]).await;
        for (action, class) in [("noop", "cpu"), ("noop", "default"), ("scan", "default")] {
            let job = json!({"action": action, "capacityMap": {class: 1}});
            let id = env.submit(&job).await;
            let token = env.claim(&worker, id).await;
            env.finish(id, token, None).await;
        }
        env.count_events().await;
        assert_eq!(total(env, "metric=started").await, 3);
        assert_eq!(total(env, "metric=done&action=noop").await, 2);
        assert_eq!(total(env, "metric=done&action=noop&class=cpu%3D1").await, 1);
        assert_eq!(total(env, "metric=run&class=default%3D1&step=1h&since=24h").await, 2);
        assert_eq!(total(env, "metric=failed").await, 0);
        assert_eq!(total(env, "metric=started&action=other").await, 0);

        let answer = env.get("/metrics/series?metric=wait&since=5m").await.json();
        let points = answer["points"].as_array().unwrap();
        assert!((5..=6).contains(&points.len()), "{answer}");
        let last = points.iter().rfind(|point| point["count"] != 0).unwrap();
        assert!(last["p50Ms"].is_u64() && last["p99Ms"].as_u64() >= last["p50Ms"].as_u64());
        assert_eq!(points[0]["p95Ms"], Value::Null);
        let started = env.get("/metrics/series?metric=started&since=5m").await.json();
        assert_eq!(started["points"][5]["p50Ms"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn failures_are_grouped_and_their_jobs_listed() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let mut last = None;
        for message in ["no image 1 at \"a\"", "no layer", "no image 22 at \"bc\""] {
            let id = env.submit(&json!({"action": "noop"})).await;
            let token = env.claim(&worker, id).await;
            env.end(id, token, Outcome::Error(Exception::new("Registry", message))).await;
            last = Some(id);
        }
        env.count_events().await;
        let groups = env.get("/failures").await.json()["groups"].clone();
        assert_eq!(groups.as_array().unwrap().len(), 2, "{groups}");
        let group = &groups[0];
        let shown = [&group["action"], &group["type"], &group["message"], &group["count"]];
        let expected =
            [json!("noop"), json!("Registry"), json!("no image <n> at \"<id>\""), json!(2)];
        assert_eq!(shown, expected.each_ref());
        assert_eq!(group["sampleID"], json!(last));
        assert_eq!(group["counts"][0]["count"], 2);
        assert!(group["firstSeen"].as_str() < group["lastSeen"].as_str());

        let fingerprint = group["fingerprint"].as_str().unwrap();
        let answer = env.get(&format!("/jobs?fingerprint={fingerprint}&action=noop")).await;
        assert_eq!(answer.json()["jobs"].as_array().unwrap().len(), 2, "{}", answer.text);
        assert_eq!(answer.header("x-total-count"), Some("2"));
        let done = env.get(&format!("/jobs?fingerprint={fingerprint}&status=done")).await;
        assert_eq!(done.json()["jobs"], json!([]));
        let found = env.get(&format!("/jobs?q=fingerprint:{fingerprint}")).await;
        assert_eq!(found.header("x-total-count"), Some("2"));
        let others = env.get(&format!("/jobs?q=status:error+-fingerprint:{fingerprint}")).await;
        assert_eq!(others.header("x-total-count"), Some("1"));
        let newest = env.get(&format!("/jobs?fingerprint={fingerprint}&sort=-createdAt")).await;
        assert_eq!(newest.header("x-total-count"), Some("2"));
        let filter = json!({"fingerprint": fingerprint});
        let retry = json!({"operation": "retry", "filter": filter, "dryRun": true});
        assert_eq!(env.post("/bulk", &retry).await.json()["eligible"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_query_that_cannot_be_answered_says_what_is_allowed() {
    with_env(async |env| {
        let cases = [
            ("/metrics/series", "metric: it is required"),
            ("/metrics/series?metric=x", "metric: it must be started, done, failed, wait or run"),
            ("/metrics/series?metric=done&since=96h", "use a step of whole hours"),
            ("/metrics/series?metric=done&since=72h", "more than 1500 points"),
            ("/metrics/series?metric=done&step=5s", "step: it must be whole minutes"),
            ("/failures?since=200h", "since: failures are kept for 7 days"),
            ("/failures?since=yesterday", "how long ago, like 90m"),
            ("/jobs?fingerprint=x", "16 hexadecimal digits"),
        ];
        for (path, expected) in cases {
            let answer = env.get(path).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text);
            assert!(answer.text.contains(expected), "{path}: {}", answer.text);
        }
    })
    .await;
}
