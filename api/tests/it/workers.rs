//! Workers as their operators see them.

use serde_json::{Value, json};
use shared::capacity::CapacityMap;
use shared::job::WorkerId;
use shared::store::Pulse;

use crate::house::{House, house};

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

async fn told(house: &House, worker: &WorkerId, command: &str, body: &Value) -> String {
    let answer = house.post(&format!("/workers/{worker}/{command}"), body).await;
    if answer.status == 202 { answer.text } else { answer.refusal() }
}

#[tokio::test]
async fn a_worker_hears_with_its_next_beat_what_it_is_told() {
    house(async |house| {
        let worker = house.worker("default=16,scan=1", &["noop"]).await;
        let status =
            async || house.get(&format!("/workers/{worker}")).await.json()["status"].clone();
        let orders = async || match house.beat(&worker, "default=16,scan=1", &["noop"]).await {
            Pulse::Alive(orders) => orders,
            Pulse::Dead => panic!("it is dead"),
        };
        let nothing = json!({});
        assert_eq!(told(house, &worker, "drain", &nothing).await, "");
        assert_eq!(status().await, "draining");
        assert!(orders().await.drain);
        let id = house.submit(&json!({"action": "noop"})).await;
        let reason = &house.show(id).await["waitingFor"];
        let message = "every live worker that offers default=1 for noop is draining";
        assert_eq!(*reason, json!({"code": "draining", "message": message}));

        assert_eq!(told(house, &worker, "resume", &nothing).await, "");
        assert_eq!(status().await, "running");
        assert!(!orders().await.drain);

        let map = json!({"capacityMap": {"scan": 3}});
        assert_eq!(told(house, &worker, "capacity", &map).await, "");
        let wanted: CapacityMap = "scan=3".parse().unwrap();
        assert_eq!(orders().await.wanted, Some(wanted));
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_is_gone_is_told_nothing() {
    house(async |house| {
        let worker = house.worker("default=16", &["noop"]).await;
        house.store.leave(&worker).await.unwrap();
        let map = json!({"capacityMap": {"scan": 3}});
        for command in ["drain", "resume", "capacity"] {
            let expected = format!("409 CONFLICT worker {worker} is dead or has shut down");
            assert_eq!(told(house, &worker, command, &map).await, expected);
        }
        assert_eq!(house.get(&format!("/workers/{worker}")).await.json()["status"], "shutdown");
    })
    .await;
}
