//! The `traceparent` of requests, without a collector: a valid one is kept for the job, and any other
//! is ignored.

use domain::trace::{TraceOrigin, TraceParent};
use serde_json::json;

use crate::env::{Answer, TestEnv, send, with_env};

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn submit(env: &TestEnv, traceparents: &[&str], scheduled_at: &str) -> Answer {
    let body = json!({"action": "noop", "scheduledAt": scheduled_at});
    let mut request = env.client.post(format!("{}/api/v0/jobs", env.url)).json(&body);
    for traceparent in traceparents {
        request = request.header("traceparent", *traceparent);
    }
    send(request).await
}

async fn origin(env: &TestEnv, answer: &Answer) -> Option<TraceOrigin> {
    let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
    env.store.job(id).await.unwrap().unwrap().spec.trace
}

#[tokio::test]
async fn a_valid_traceparent_is_kept_and_any_other_is_ignored() {
    with_env(async |env| {
        let span = TraceParent::parse(VALID).unwrap();
        let now = submit(env, &[VALID], "").await;
        assert_eq!(now.json()["traceID"], json!("0af7651916cd43dd8448eb211c80319c"));
        assert_eq!(origin(env, &now).await, Some(TraceOrigin::Parent(span)));
        let later = submit(env, &[VALID], "2100-01-01T00:00:00Z").await;
        assert_eq!(origin(env, &later).await, Some(TraceOrigin::Link(span)));
        assert_ne!(later.json()["traceID"], now.json()["traceID"]);

        let long = format!("01{}-{}", &VALID[2..], "a".repeat(4_000));
        let upper = VALID.to_uppercase();
        for hostile in [
            &[][..],
            &[""],
            &["00-0-0-01"],
            &[&upper],
            &[&long],
            &[VALID, VALID],
            &["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
        ] {
            let answer = submit(env, hostile, "").await;
            assert_eq!(answer.status, 202, "{hostile:?}");
            assert_eq!(answer.json()["traceID"], json!(null), "{hostile:?}");
            assert_eq!(origin(env, &answer).await, None, "{hostile:?}");
        }
    })
    .await;
}
