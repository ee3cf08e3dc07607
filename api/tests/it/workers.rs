//! Workers are listed and receive commands.

use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use serde_json::{Value, json};
use store::HeartbeatReply;

use crate::env::{TestEnv, with_env};

#[tokio::test]
async fn a_worker_is_listed_with_the_values_of_its_heartbeat() {
    with_env(async |env| {
        assert_eq!(env.get("/workers").await.json(), json!({"workers": []}));
        let worker = env.worker("default=16,scan=1", &["noop", "sleep"]).await;
        let id = env.submit(&json!({"action": "noop"})).await;
        env.claim(&worker, id).await;

        let answer = env.get(&format!("/workers/{worker}")).await;
        assert_eq!(answer.status, 200);
        let mut shown = answer.json();
        assert_eq!(env.get("/workers").await.json(), json!({"workers": [shown]}));
        for time in ["heartbeatExpiration", "startedAt"] {
            let time = shown.as_object_mut().unwrap().remove(time).unwrap();
            assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        }
        let expected = json!({
            "id": worker, "status": "running", "name": "simulated", "version": "1.2.3",
            "capacityMap": {"default": 16, "scan": 1}, "free": {"default": 16, "scan": 1},
            "actions": ["noop", "sleep"], "jobs": [id],
        });
        assert_eq!(shown, expected);
    })
    .await;
}

async fn send_command(env: &TestEnv, worker: &WorkerId, command: &str, body: &Value) -> String {
    let answer = env.post(&format!("/workers/{worker}/{command}"), body).await;
    if answer.status == 202 { answer.text } else { answer.refusal() }
}

#[tokio::test]
async fn a_worker_receives_a_command_with_its_next_heartbeat() {
    with_env(async |env| {
        let worker = env.worker("default=16,scan=1", &["noop"]).await;
        let status = async || env.get(&format!("/workers/{worker}")).await.json()["status"].clone();
        let commands = async || match env.heartbeat(&worker, "default=16,scan=1", &["noop"]).await {
            HeartbeatReply::Renewed(commands) => commands,
            HeartbeatReply::Dead => panic!("the worker is dead"),
        };
        let nothing = json!({});
        assert_eq!(send_command(env, &worker, "drain", &nothing).await, "");
        assert_eq!(status().await, "draining");
        assert!(commands().await.drain);
        let id = env.submit(&json!({"action": "noop"})).await;
        let reason = &env.show(id).await["waitingFor"];
        let message = "every live worker that offers default=1 for noop is draining";
        assert_eq!(*reason, json!({"code": "draining", "message": message}));

        assert_eq!(send_command(env, &worker, "resume", &nothing).await, "");
        assert_eq!(status().await, "running");
        assert!(!commands().await.drain);

        let map = json!({"capacityMap": {"scan": 3}});
        assert_eq!(send_command(env, &worker, "capacity", &map).await, "");
        let capacity: CapacityMap = "scan=3".parse().unwrap();
        assert_eq!(commands().await.wanted, Some(capacity));
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_has_shut_down_is_sent_no_command() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        env.store.leave(&worker).await.unwrap();
        let map = json!({"capacityMap": {"scan": 3}});
        for command in ["drain", "resume", "capacity"] {
            let expected = format!("409 CONFLICT worker {worker} is dead or has shut down");
            assert_eq!(send_command(env, &worker, command, &map).await, expected);
        }
        assert_eq!(env.get(&format!("/workers/{worker}")).await.json()["status"], "shutdown");
    })
    .await;
}
