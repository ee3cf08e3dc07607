//! Workers are listed and receive commands.

use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use serde_json::{Value, json};
use store::HeartbeatReply;

use crate::env::{TestEnv, send, with_env};

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
async fn a_change_of_capacity_leaves_the_types_that_it_does_not_name() {
    with_env(async |env| {
        let map = "default=16,scan=1,gpu=1";
        let worker = env.worker(map, &["noop"]).await;
        let patch = async |change: Value| {
            let path = format!("/workers/{worker}/capacity");
            send(env.client.patch(env.at(&path)).json(&json!({"capacityMap": change}))).await
        };
        let wanted = async || match env.heartbeat(&worker, map, &["noop"]).await {
            HeartbeatReply::Renewed(commands) => commands.wanted.unwrap().to_string(),
            HeartbeatReply::Dead => panic!("the worker is dead"),
        };
        assert_eq!(patch(json!({"scan": 3})).await.status, 202);
        assert_eq!(wanted().await, "default=16,gpu=1,scan=3");
        // A second change does not undo the first, which the worker may not have applied yet.
        assert_eq!(patch(json!({"cpu": 8, "gpu": 0})).await.status, 202);
        assert_eq!(wanted().await, "cpu=8,default=16,scan=3");
        assert_eq!(patch(json!({"scan": -1})).await.code(), "400 INVALID_PARAMETERS");
        let many: serde_json::Map<String, Value> =
            (0..14).map(|n| (format!("type{n}"), json!(1))).collect();
        assert_eq!(patch(Value::Object(many)).await.code(), "400 INVALID_PARAMETERS");
        assert_eq!(wanted().await, "cpu=8,default=16,scan=3");
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_has_shut_down_is_sent_no_command() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["noop"]).await;
        env.store.leave(&worker).await.unwrap();
        let map = json!({"capacityMap": {"scan": 3}});
        let expected = format!("409 CONFLICT worker {worker} is dead or has shut down");
        for command in ["drain", "resume", "capacity"] {
            assert_eq!(send_command(env, &worker, command, &map).await, expected);
        }
        let path = env.at(&format!("/workers/{worker}/capacity"));
        assert_eq!(send(env.client.patch(path).json(&map)).await.code(), "409 CONFLICT");
        assert_eq!(env.get(&format!("/workers/{worker}")).await.json()["status"], "shutdown");
    })
    .await;
}
