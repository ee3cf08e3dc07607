//! Workers as their operators see them.

use serde_json::json;

use crate::house::house;

#[tokio::test]
async fn a_worker_is_listed_and_shown_with_what_it_said_of_itself() {
    house(async |house| {
        assert_eq!(house.get("/workers").await.json(), json!({"workers": []}));
        let worker = house.worker("default=16,scan=1", &["noop", "sleep"]).await;
        let id = house.submit(&json!({"action": "noop"})).await;
        house.claim(&worker, id).await;

        let answer = house.get(&format!("/workers/{worker}")).await;
        assert_eq!(answer.status, 200);
        let mut shown = answer.json();
        assert_eq!(house.get("/workers").await.json(), json!({"workers": [shown]}));
        for time in ["heartbeatExpiration", "startedAt"] {
            let time = shown.as_object_mut().unwrap().remove(time).unwrap();
            assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        }
        let expected = json!({
            "id": worker, "status": "running", "name": "hand", "version": "1.2.3",
            "capacityMap": {"default": 16, "scan": 1}, "free": {"default": 16, "scan": 1},
            "actions": ["noop", "sleep"], "jobs": [id],
        });
        assert_eq!(shown, expected);
    })
    .await;
}
