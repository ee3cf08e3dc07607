//! The details of a job in each status, and the reason why it waits.

use domain::job::JobId;
use serde_json::{Value, json};

use crate::env::with_env;

#[tokio::test]
async fn a_job_is_shown_while_it_waits_runs_and_is_done() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        let job = env.show(id).await;
        assert_eq!((&job["status"], &job["workerID"]), (&json!("waiting"), &json!("")));

        let token = env.claim(&worker, id).await;
        env.store.progress(id, token, &json!({"percent": 50})).await.unwrap();
        let job = env.show(id).await;
        assert_eq!((&job["status"], &job["workerID"]), (&json!("running"), &json!(worker)));
        assert_eq!(job["fencingToken"], json!(token));
        assert_eq!(job["progress"], json!({"percent": 50}));
        assert!(job["startedAt"].is_string());

        env.finish(id, token, Some(json!({"answer": 42}))).await;
        let job = env.show(id).await;
        assert_eq!((&job["status"], &job["result"]), (&json!("done"), &json!({"answer": 42})));
        assert!(job["finishedAt"].is_string());
        assert_eq!(job["waitingFor"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn the_checkpoint_of_a_job_is_shown_with_the_latest_attempt_and_not_in_lists() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop", "retries": 1})).await;
        let token = env.claim(&worker, id).await;
        assert_eq!(env.show(id).await.get("checkpoint"), Some(&Value::Null));
        env.store.save_checkpoint(id, token, r#"{"after": "sw1"}"#).await.unwrap();
        assert_eq!(env.show(id).await["checkpoint"], json!({"after": "sw1"}));
        let list = env.get("/jobs").await.json();
        assert_eq!(list["jobs"][0].get("checkpoint"), None);
        env.fail(id, token).await;
        let failed = env.show(id).await;
        assert_eq!(failed["checkpoint"], Value::Null);
        let follow_up = failed["followUpID"].as_str().unwrap().parse().unwrap();
        assert_eq!(env.show(follow_up).await["checkpoint"], json!({"after": "sw1"}));
    })
    .await;
}

#[tokio::test]
async fn a_path_names_a_job_by_its_id_or_its_number() {
    with_env(async |env| {
        let first = env.submit(&json!({"action": "noop"})).await;
        let second = env.submit(&json!({"action": "noop"})).await;
        let number = env.show(second).await["number"].as_u64().unwrap();
        let shown = env.get(&format!("/jobs/{number}")).await;
        assert_eq!((shown.status, &shown.json()["id"]), (200, &json!(second)));
        assert_eq!(env.command(&format!("/jobs/{number}/cancel")).await.status, 204);
        assert_eq!(env.show(second).await["status"], "cancel");
        assert_eq!(env.show(first).await["status"], "waiting");
        for name in [format!("0{number}"), format!("+{number}"), (number + 1_000_000).to_string()] {
            let missing = env.get(&format!("/jobs/{name}")).await;
            assert_eq!(missing.status, 404, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_retry_and_the_job_it_retries_name_each_other() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop", "retries": 2})).await;
        let token = env.claim(&worker, id).await;
        env.fail(id, token).await;
        let failed = env.show(id).await;
        assert_eq!(failed["status"], "error");
        let exception = json!({"type": "ExitCode", "message": "it exited with 1", "detail": null});
        assert_eq!(failed["exception"], exception);
        let follow_up = failed["followUpID"].as_str().unwrap().parse().unwrap();
        let retry = env.show(follow_up).await;
        assert_eq!(retry["retryFromID"], json!(id));
        let retries = (&retry["retriesLeft"], &retry["retriesTotal"], &retry["attempt"]);
        assert_eq!(retries, (&json!(1), &json!(2), &json!(2)));
        let reason = &retry["waitingFor"];
        assert_eq!(reason["code"], "due", "a retry is due after a back-off");
        let at = retry["scheduledAt"].as_str().unwrap();
        let message = format!("due at {at}, after a back-off: it is attempt 2");
        assert_eq!(reason["message"], message);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_job_shows_the_reason() {
    with_env(async |env| {
        let check = async |id: JobId, code: &str, message: &str| {
            let job = env.show(id).await;
            assert_eq!(job["waitingFor"], json!({"code": code, "message": message}));
        };
        let later = json!({"action": "noop", "scheduledAt": "2100-01-01T00:00:00.5Z"});
        let later = env.submit(&later).await;
        check(later, "due", "due at 2100-01-01T00:00:00.500Z").await;
        let expiring = json!({"action": "noop", "capacityMap": {"tpu": 1},
            "expiresAt": "2100-01-01T00:00:00Z"});
        let expiring = env.submit(&expiring).await;
        let message = "no live worker offers tpu=1; it expires at 2100-01-01T00:00:00Z";
        check(expiring, "capacity", message).await;

        let large = json!({"action": "train", "capacityMap": {"gpu": 4, "cpu": 1}});
        let large = env.submit(&large).await;
        check(large, "capacity", "no live worker offers cpu=1,gpu=4").await;
        env.worker("cpu=8,gpu=8,default=16", &["noop"]).await;
        check(large, "action", "the only live worker does not know action train").await;

        let first = env.submit(&json!({"action": "noop"})).await;
        check(first, "queue", "0 ahead of it").await;
        let second = env.submit(&json!({"action": "noop"})).await;
        let low = env.submit(&json!({"action": "noop", "priority": "low"})).await;
        let high = env.submit(&json!({"action": "noop", "priority": "high"})).await;
        check(first, "queue", "1 ahead of it").await;
        check(second, "queue", "2 ahead of it").await;
        check(high, "queue", "0 ahead of it").await;
        check(low, "queue", "3 ahead of it").await;
    })
    .await;
}
