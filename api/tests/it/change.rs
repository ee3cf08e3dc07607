//! Changing a job that waits.

use serde_json::json;
use shared::job::{JobId, Outcome};

use crate::house::house;

#[tokio::test]
async fn a_job_that_waits_is_changed_in_part_and_answered_as_it_is() {
    house(async |house| {
        let id = house.submit(&json!({"action": "noop"})).await;
        let path = format!("/jobs/{id}");
        let answer = house.patch(&path, &json!({"priority": "high"})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let before = answer.json();
        assert_eq!((&before["id"], &before["priority"]), (&json!(id), &json!("high")));

        let later = json!({"scheduledAt": "2100-01-01T00:00:00Z", "priority": null});
        let changed = house.patch(&path, &later).await.json();
        assert_eq!(changed["priority"], "high");
        assert_eq!(changed["scheduledAt"], "2100-01-01T00:00:00Z");
        let shown = house.show(id).await;
        assert_eq!(shown["waitingFor"]["code"], "due");
        assert_eq!(shown["scheduledAt"], "2100-01-01T00:00:00Z");

        let now = house.patch(&path, &json!({"scheduledAt": ""})).await.json();
        assert!(now["scheduledAt"].as_str().unwrap() >= before["scheduledAt"].as_str().unwrap());
        assert_ne!(now["scheduledAt"], changed["scheduledAt"]);
        let worker = house.worker("default=16", &["noop"]).await;
        house.claim(&worker, id).await;
    })
    .await;
}

#[tokio::test]
async fn what_does_not_wait_is_not_changed() {
    house(async |house| {
        let worker = house.worker("default=16", &["noop"]).await;
        let change = json!({"priority": "low"});
        let id = house.submit(&json!({"action": "noop"})).await;
        let token = house.claim(&worker, id).await;
        let path = format!("/jobs/{id}");
        let runs = house.patch(&path, &change).await;
        let only = "only a job that has not been started can be changed";
        assert_eq!(runs.refusal(), format!("409 CONFLICT job {id} is running: {only}"));
        assert_eq!(runs.detail(), json!({"id": id, "status": "running"}));

        house.submit(&json!({"action": "noop", "parent": id})).await;
        house.end(id, token, Outcome::Await(None)).await;
        let awaits = house.patch(&path, &change).await.refusal();
        let but = "but only for its children";
        assert_eq!(awaits, format!("409 CONFLICT job {id} is waiting, {but}: {only}"));
        let gone = house.patch(&format!("/jobs/{}", JobId::random()), &change).await;
        assert_eq!(gone.code(), "404 NO_SUCH_JOB");
    })
    .await;
}

#[tokio::test]
async fn a_change_that_is_wrong_is_refused_by_its_field() {
    house(async |house| {
        let expires = json!({"action": "noop", "expiresAt": "2100-01-01T00:00:00Z"});
        let id = house.submit(&expires).await;
        let before = house.show(id).await;
        let cases = [
            (json!({}), "body", "there is nothing to change"),
            (json!({"priority": null}), "body", "there is nothing to change"),
            (json!([]), "body", "expected an object"),
            (json!({"priority": "urgent"}), "priority", "unknown variant"),
            (json!({"scheduledAt": "soon"}), "scheduledAt", "is no time"),
            (json!({"scheduledAt": "2100-01-01T00:00:00Z"}), "scheduledAt", "the job expires at"),
            (json!({"retries": 1}), "retries", "unknown field"),
        ];
        for (change, field, why) in cases {
            let answer = house.patch(&format!("/jobs/{id}"), &change).await;
            assert_eq!(answer.code(), "400 INVALID_PARAMETERS", "{change}");
            assert_eq!(answer.detail(), json!({"field": field}), "{change}");
            assert!(answer.text.contains(why), "{change}: {}", answer.text);
        }
        assert_eq!(house.show(id).await, before);
    })
    .await;
}
