//! What is asked for of a job that is there: cancel, delete, retry.

use serde_json::{Value, json};
use shared::job::{JobId, Outcome};
use shared::store::Finish;

use crate::house::{House, house, id_of};

async fn cancel(house: &House, id: JobId) -> u16 {
    house.command(&format!("/jobs/{id}/cancel")).await.status
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once_and_one_that_runs_when_it_has_stopped() {
    house(async |house| {
        let waits = house.submit(&json!({"action": "noop"})).await;
        let runs = house.submit(&json!({"action": "noop", "retries": 3})).await;
        let worker = house.worker("default=16", &["noop"]).await;
        let token = house.claim(&worker, runs).await;
        for _ in 0..2 {
            assert_eq!((cancel(house, waits).await, cancel(house, runs).await), (204, 204));
        }
        let (waits, stops) = (house.show(waits).await, house.show(runs).await);
        assert_eq!(
            (&waits["status"], &stops["status"]),
            (&json!("cancel"), &json!("cancel_request"))
        );
        assert_eq!((&waits["cancelBy"], &waits["cancelReason"]), (&json!("unknown"), &Value::Null));
        assert!(waits["finishedAt"].is_string() && stops["finishedAt"].is_null());

        let (outcome, follow_up) = (Outcome::Cancel, JobId::random());
        let end = Finish { id: runs, token, outcome, follow_up, jitter: 0.0 };
        house.store.finish(&[end]).await.unwrap();
        let stopped = house.show(runs).await;
        assert_eq!((&stopped["status"], &stopped["followUpID"]), (&json!("cancel"), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn cancelling_what_is_over_changes_nothing() {
    house(async |house| {
        let worker = house.worker("default=16", &["noop"]).await;
        let id = house.submit(&json!({"action": "noop"})).await;
        let token = house.claim(&worker, id).await;
        house.finish(id, token, Some(json!(5))).await;
        let before = house.show(id).await;
        assert_eq!(cancel(house, id).await, 204);
        assert_eq!(house.show(id).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_job_leaves_a_record_of_that_and_no_log() {
    house(async |house| {
        let worker = house.worker("default=16", &["noop"]).await;
        let id = house.submit(&json!({"action": "noop", "comment": "secret"})).await;
        let token = house.claim(&worker, id).await;
        house.log(id, token, 0, &["hello"]).await;
        let path = format!("/jobs/{id}");
        assert_eq!(house.delete(&path).await.status, 204);
        assert_eq!(house.show(id).await["status"], "cancel_request", "it goes when it has stopped");
        house.finish(id, token, None).await;

        let left = house.show(id).await;
        assert_eq!((&left["status"], &left["action"]), (&json!("deleted"), &json!("noop")));
        assert_eq!((&left["id"], &left["comment"]), (&json!(id), &Value::Null));
        assert_eq!(house.get(&format!("/jobs/{id}/logs")).await.json(), json!([]));
        assert_eq!(house.get("/jobs").await.json(), json!({"jobs": []}));
        for _ in 0..2 {
            assert_eq!(house.delete(&path).await.status, 204);
        }
        assert_eq!(house.command(&format!("{path}/cancel")).await.status, 204);
        let again = house.command(&format!("{path}/retry")).await;
        assert_eq!(again.code(), "409 CONFLICT");
        assert_eq!(again.json()["errors"][0]["detail"], json!({"id": id, "status": "deleted"}));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_over_is_tried_again_once() {
    house(async |house| {
        let worker = house.worker("default=16", &["noop"]).await;
        let asked = json!({"action": "noop", "parameters": {"a": 1}, "uniqueKey": "u"});
        let id = house.submit(&asked).await;
        let retry = async |id: JobId| house.command(&format!("/jobs/{id}/retry")).await;
        let detail = |answer: &crate::house::Answer| answer.json()["errors"][0]["detail"].clone();

        let waits = retry(id).await;
        let message = "only a job that is over and not deleted can be tried again";
        assert_eq!(waits.refusal(), format!("409 CONFLICT job {id} is waiting: {message}"));
        assert_eq!(detail(&waits), json!({"id": id, "status": "waiting"}));

        let token = house.claim(&worker, id).await;
        house.fail(id, token).await;
        let other = house.submit(&asked).await;
        let taken = retry(id).await;
        assert_eq!(taken.code(), "409 CONFLICT");
        assert_eq!(detail(&taken), json!({"id": id, "holderID": other}));
        assert_eq!(cancel(house, other).await, 204);

        let answer = retry(id).await;
        assert_eq!(answer.status, 202);
        let again = answer.json();
        let follow_up = id_of(&again);
        assert_eq!((&again["retryFromID"], &again["attempt"]), (&json!(id), &json!(2)));
        assert_eq!((&again["parameters"], &again["status"]), (&json!({"a": 1}), &json!("waiting")));
        assert_eq!(house.show(id).await["followUpID"], json!(follow_up));

        let followed = retry(id).await;
        let message = format!("409 CONFLICT job {id} is carried on by job {follow_up} already");
        assert_eq!(followed.refusal(), message);
        assert_eq!(detail(&followed), json!({"id": id, "followUpID": follow_up}));
    })
    .await;
}
