//! The number of workers that an autoscaler should run.

use serde_json::{Value, json};
use store::WorkerCommand;

use crate::env::{TestEnv, with_env};

async fn scaling(env: &TestEnv, query: &str) -> Value {
    let answer = env.get(&format!("/scaling?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn ready_jobs_that_a_worker_of_the_shape_can_hold_are_counted() {
    with_env(async |env| {
        let idle = scaling(env, "capacity=scan=1,cpu=8").await;
        let expected = json!({
            "wanted": 0.0, "live": 0, "because": null, "waiting": {}, "running": {},
            "oldestReadyMs": null,
        });
        assert_eq!(idle, expected);
        let worker = env.worker("default=16,scan=1,cpu=8", &["noop"]).await;
        let other = env.worker("default=16,gpu=1", &["noop"]).await;
        let mut jobs = vec![json!({"action": "noop", "capacityMap": {"cpu": 4}}); 5];
        jobs.push(json!({"action": "noop", "capacityMap": {"scan": 1, "cpu": 1}}));
        // What no such worker holds, what is not due, and what waits for a lock or an operator.
        jobs.push(json!({"action": "noop", "capacityMap": {"gpu": 1}}));
        let later = "2100-01-01T00:00:00Z";
        jobs.push(json!({"action": "noop", "capacityMap": {"cpu": 8}, "scheduledAt": later}));
        jobs.push(json!({"action": "noop", "capacityMap": {"cpu": 7}}));
        let answer = env.post("/jobs/batch", &json!({"jobs": jobs})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        env.command("/queues/cpu=7/pause").await;
        let mut found = scaling(env, "capacity=scan=1,cpu=8").await;
        let oldest = found.as_object_mut().unwrap().remove("oldestReadyMs").unwrap();
        assert!(oldest.is_u64(), "{oldest}");
        // One of them fits into the live worker, beside the one that scans; four need two more.
        let expected = json!({
            "wanted": 3.0, "live": 1, "because": "cpu", "waiting": {"scan": 1, "cpu": 21},
            "running": {},
        });
        assert_eq!(found, expected);
        // A worker that is asked to stop is not live.
        env.store.command_worker(&worker, &WorkerCommand::Drain).await.unwrap();
        assert_eq!(scaling(env, "capacity=scan=1,cpu=8").await["live"], 0);
        assert_eq!(scaling(env, "capacity=gpu=1").await["live"], 1, "{other}");
    })
    .await;
}

#[tokio::test]
async fn short_jobs_that_may_wait_need_fewer_workers() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, id).await;
        env.finish(id, token, None).await;
        let jobs = vec![json!({"action": "noop"}); 64];
        assert_eq!(env.post("/jobs/batch", &json!({"jobs": jobs})).await.status, 202);
        assert_eq!(scaling(env, "capacity=default=1").await["wanted"], 64.0);
        // One has ended in the last minute and none runs, so jobs are short.
        assert_eq!(scaling(env, "capacity=default=1&startWithin=30s").await["wanted"], 0.1);
        // A job that runs all the time takes a minute for each that has ended.
        let id = env.submit(&json!({"action": "noop", "priority": "high"})).await;
        env.claim(&worker, id).await;
        assert_eq!(scaling(env, "capacity=default=1&startWithin=120s").await["wanted"], 32.0);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_capacity_or_duration_is_refused_by_name() {
    with_env(async |env| {
        let cases = [
            ("", "capacity"),
            ("capacity=", "capacity"),
            ("capacity=scan", "capacity"),
            ("capacity=scan=1&startWithin=0s", "startWithin"),
            ("capacity=scan=1&startWithin=soon", "startWithin"),
            ("capacity=scan=1&within=3s", "within"),
        ];
        for (query, field) in cases {
            let answer = env.get(&format!("/scaling?{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            let message = answer.json()["errors"][0]["message"].to_string();
            assert!(message.contains(field), "{query}: {message}");
        }
    })
    .await;
}
