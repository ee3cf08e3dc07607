//! Waiting jobs are changed.

use domain::job::{JobId, Outcome};
use serde_json::json;

use crate::env::with_env;

#[tokio::test]
async fn a_waiting_job_is_changed_and_keeps_its_other_values() {
    with_env(async |env| {
        let id = env.submit(&json!({"action": "noop"})).await;
        let path = format!("/jobs/{id}");
        let answer = env.patch(&path, &json!({"priority": "high"})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let before = answer.json();
        assert_eq!((&before["id"], &before["priority"]), (&json!(id), &json!("high")));

        let later = json!({"scheduledAt": "2100-01-01T00:00:00Z", "priority": null});
        let changed = env.patch(&path, &later).await.json();
        assert_eq!(changed["priority"], "high");
        assert_eq!(changed["scheduledAt"], "2100-01-01T00:00:00Z");
        let shown = env.show(id).await;
        assert_eq!(shown["waitingFor"]["code"], "due");
        assert_eq!(shown["scheduledAt"], "2100-01-01T00:00:00Z");

        let now = env.patch(&path, &json!({"scheduledAt": ""})).await.json();
        assert!(now["scheduledAt"].as_str().unwrap() >= before["scheduledAt"].as_str().unwrap());
        assert_ne!(now["scheduledAt"], changed["scheduledAt"]);
        let worker = env.worker("default=16", &["noop"]).await;
        env.claim(&worker, id).await;
    })
    .await;
}

#[tokio::test]
async fn a_job_that_has_started_is_not_changed() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        let change = json!({"priority": "low"});
        let id = env.submit(&json!({"action": "noop"})).await;
        let token = env.claim(&worker, id).await;
        let path = format!("/jobs/{id}");
        let runs = env.patch(&path, &change).await;
        let only = "only a job that has not started can be changed";
        assert_eq!(runs.refusal(), format!("409 CONFLICT job {id} is running; {only}"));
        assert_eq!(runs.detail(), json!({"id": id, "status": "running"}));

        env.submit(&json!({"action": "noop", "parent": id})).await;
        env.end(id, token, Outcome::Await(None)).await;
        let awaits = env.patch(&path, &change).await.refusal();
        let waits = format!("job {id} is waiting after its run");
        assert_eq!(awaits, format!("409 CONFLICT {waits}; {only}"));
        let gone = env.patch(&format!("/jobs/{}", JobId::random()), &change).await;
        assert_eq!(gone.code(), "404 NO_SUCH_JOB");
    })
    .await;
}

#[tokio::test]
async fn an_invalid_change_is_refused_with_the_name_of_the_field() {
    with_env(async |env| {
        let expires = json!({"action": "noop", "expiresAt": "2100-01-01T00:00:00Z"});
        let id = env.submit(&expires).await;
        let before = env.show(id).await;
        let cases = [
            (json!({}), "body", "it changes nothing"),
            (json!({"priority": null}), "body", "it changes nothing"),
            (json!([]), "body", "expected an object"),
            (json!({"priority": "urgent"}), "priority", "unknown variant"),
            (json!({"scheduledAt": "soon"}), "scheduledAt", "is not a valid time"),
            (json!({"scheduledAt": "2100-01-01T00:00:00Z"}), "scheduledAt", "before expiresAt"),
            (json!({"retries": 1}), "retries", "unknown field"),
        ];
        for (change, field, why) in cases {
            let answer = env.patch(&format!("/jobs/{id}"), &change).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{change}");
            assert_eq!(answer.detail(), json!({"field": field}), "{change}");
            assert!(answer.text.contains(why), "{change}: {}", answer.text);
        }
        assert_eq!(env.show(id).await, before);
    })
    .await;
}
