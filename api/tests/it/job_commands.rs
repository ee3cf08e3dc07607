//! Jobs are cancelled, deleted and retried.

use domain::job::{JobId, Outcome};
use serde_json::{Value, json};
use store::Finish;

use crate::env::{TestEnv, id_of, with_env};

async fn cancel(env: &TestEnv, id: JobId) -> u16 {
    env.command(&format!("/jobs/{id}/cancel")).await.status
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_has_stopped() {
    with_env(async |env| {
        let waiting = env.submit(&json!({"action": "noop"})).await;
        let running = env.submit(&json!({"action": "noop", "retries": 3})).await;
        let worker = env.worker("default=16", &["noop"]).await;
        let token = env.claim(&worker, running).await;
        for _ in 0..2 {
            assert_eq!((cancel(env, waiting).await, cancel(env, running).await), (204, 204));
        }
        let (cancelled, stopping) = (env.show(waiting).await, env.show(running).await);
        let statuses = (&cancelled["status"], &stopping["status"]);
        assert_eq!(statuses, (&json!("cancel"), &json!("cancel_request")));
        let by = (&cancelled["cancelBy"], &cancelled["cancelReason"]);
        assert_eq!(by, (&json!("unknown"), &Value::Null));
        assert!(cancelled["finishedAt"].is_string() && stopping["finishedAt"].is_null());

        let (outcome, follow_up) = (Outcome::Cancel, JobId::random());
        let end = Finish { id: running, token, outcome, follow_up, jitter: 0.0 };
        env.store.finish(&[end]).await.unwrap();
        let stopped = env.show(running).await;
        assert_eq!((&stopped["status"], &stopped["followUpID"]), (&json!("cancel"), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn cancelling_a_finished_job_changes_nothing() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, id).await;
        env.finish(id, token, Some(json!(5))).await;
        let before = env.show(id).await;
        assert_eq!(cancel(env, id).await, 204);
        assert_eq!(env.show(id).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_job_leaves_a_record_and_no_log() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let id = env.submit(&json!({"action": "noop", "comment": "secret"})).await;
        let token = env.claim(&worker, id).await;
        env.log(id, token, 0, &["hello"]).await;
        let path = format!("/jobs/{id}");
        assert_eq!(env.delete(&path).await.status, 204);
        assert_eq!(env.show(id).await["status"], "cancel_request", "it is stopped first");
        env.finish(id, token, None).await;

        let record = env.show(id).await;
        assert_eq!((&record["status"], &record["action"]), (&json!("deleted"), &json!("noop")));
        assert_eq!((&record["id"], &record["comment"]), (&json!(id), &Value::Null));
        assert_eq!(env.get(&format!("/jobs/{id}/logs")).await.json(), json!([]));
        assert_eq!(env.get("/jobs").await.json(), json!({"jobs": []}));
        for _ in 0..2 {
            assert_eq!(env.delete(&path).await.status, 204);
        }
        assert_eq!(env.command(&format!("{path}/cancel")).await.status, 204);
        let again = env.command(&format!("{path}/retry")).await;
        assert_eq!(again.code(), "409 CONFLICT");
        assert_eq!(again.json()["errors"][0]["detail"], json!({"id": id, "status": "deleted"}));
    })
    .await;
}

#[tokio::test]
async fn a_finished_job_is_retried_once() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let submission = json!({"action": "noop", "parameters": {"a": 1}, "uniqueKey": "u"});
        let id = env.submit(&submission).await;
        let retry = async |id: JobId| env.command(&format!("/jobs/{id}/retry")).await;
        let detail = |answer: &crate::env::Answer| answer.json()["errors"][0]["detail"].clone();

        let waiting = retry(id).await;
        let message = "only a finished job that is not deleted can be retried";
        assert_eq!(waiting.refusal(), format!("409 CONFLICT job {id} is waiting; {message}"));
        assert_eq!(detail(&waiting), json!({"id": id, "status": "waiting"}));

        let token = env.claim(&worker, id).await;
        env.fail(id, token).await;
        let other = env.submit(&submission).await;
        let taken = retry(id).await;
        assert_eq!(taken.code(), "409 CONFLICT");
        assert_eq!(detail(&taken), json!({"id": id, "holderID": other}));
        assert_eq!(cancel(env, other).await, 204);

        let answer = retry(id).await;
        assert_eq!(answer.status, 202);
        let again = answer.json();
        let follow_up = id_of(&again);
        assert_eq!((&again["retryFromID"], &again["attempt"]), (&json!(id), &json!(2)));
        assert_eq!((&again["parameters"], &again["status"]), (&json!({"a": 1}), &json!("waiting")));
        assert_eq!(env.show(id).await["followUpID"], json!(follow_up));

        let followed = retry(id).await;
        let message = format!("409 CONFLICT job {id} was already retried as job {follow_up}");
        assert_eq!(followed.refusal(), message);
        assert_eq!(detail(&followed), json!({"id": id, "followUpID": follow_up}));
    })
    .await;
}
