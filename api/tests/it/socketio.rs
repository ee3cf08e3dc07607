//! Socket.IO messages, received with a minimal client over HTTP polling.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::env::{TestEnv, eventually, with_env};

/// A client of Engine.IO 4 and Socket.IO 5.
struct Client<'a> {
    env: &'a TestEnv,
    url: String,
    packets: VecDeque<String>,
    last_ack: u32,
}

impl Client<'_> {
    /// Connects, and returns the client and the answer of the server.
    async fn open(env: &TestEnv) -> (Client<'_>, String) {
        let url = format!("{}/socket.io/?EIO=4&transport=polling", env.url);
        let response = env.client.get(&url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let packet = response.text().await.unwrap();
        let handshake: Value = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap();
        let url = format!("{url}&sid={}", handshake["sid"].as_str().unwrap());
        let mut client = Client { env, url, packets: VecDeque::new(), last_ack: 0 };
        client.send("40").await;
        let answer = client.packet().await;
        (client, answer)
    }

    async fn connected(env: &TestEnv) -> Client<'_> {
        let (client, answer) = Client::open(env).await;
        assert!(answer.starts_with("40{\"sid\":"), "{answer}");
        client
    }

    async fn send(&self, packet: &str) {
        let request = self.env.client.post(&self.url).body(packet.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), "ok");
    }

    /// Returns the next packet that is not a ping.
    async fn packet(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                Some(ping) if ping == "2" => self.send("3").await,
                Some(packet) => return packet,
                None => {
                    let answer = self.env.client.get(&self.url).send().await.unwrap();
                    let text = answer.text().await.unwrap();
                    self.packets.extend(text.split('\x1e').map(ToOwned::to_owned));
                }
            }
        }
    }

    /// Subscribes, and returns the acknowledgement.
    async fn subscribe(&mut self, subscription: &Value) -> Value {
        self.last_ack += 1;
        self.send(&format!("42{}{}", self.last_ack, json!(["events", subscription]))).await;
        let packet = self.packet().await;
        let ack = packet.strip_prefix(&format!("43{}", self.last_ack)).expect("an acknowledgement");
        serde_json::from_str(ack).unwrap()
    }

    /// Returns the next message.
    async fn message(&mut self) -> Value {
        let packet = self.packet().await;
        let message: Value = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        let [event, message] = &message.as_array().unwrap()[..] else { panic!("{packet}") };
        assert_eq!(event, "events");
        message.clone()
    }
}

#[tokio::test]
async fn messages_follow_the_changes_of_jobs_and_are_never_early() {
    with_env(async |env| {
        let mut client = Client::connected(env).await;
        assert_eq!(client.subscribe(&json!({"update": "job"})).await, json!([null]));
        let two = json!({"sync": "all", "update": "job"});
        for invalid in [json!({"update": "jobs"}), json!({}), two] {
            assert_eq!(client.subscribe(&invalid).await, json!([false]), "{invalid}");
        }
        let worker = env.worker("default=16", &["gc"]).await;
        for number in 1..=25 {
            let id = env.submit(&json!({"action": "gc"})).await;
            let token = env.claim(&worker, id).await;
            let started = json!({
                "job_id": number, "status": "RUNNING",
                "function_name": "gc", "scheduled_by": "unknown",
            });
            assert_eq!(client.message().await, started);
            let shown = env.get_v1(&format!("/job/{number}")).await.json();
            assert_eq!(shown["data"]["jobs"][0]["status"], "RUNNING");
            env.finish(id, token, None).await;
            assert_eq!(client.message().await, json!({"job_id": number, "status": "FINISHED"}));
            let shown = env.get_v1(&format!("/job/{number}")).await.json();
            assert_eq!(shown["data"]["jobs"][0]["status"], "FINISHED");
        }
        let failing = env.submit(&json!({"action": "gc"})).await;
        let token = env.claim(&worker, failing).await;
        let progress = json!({"finished": ["a", "b"]});
        env.store.progress(failing, token, &progress).await.unwrap();
        env.fail(failing, token).await;
        assert_eq!(client.message().await["status"], "RUNNING");
        assert_eq!(client.message().await, json!({"job_id": 26, "finished_devices": ["a", "b"]}));
        let failed = json!({"job_id": 26, "status": "EXCEPTION", "exception": "it exited with 1"});
        assert_eq!(client.message().await, failed);
        let aborted = env.submit(&json!({"action": "gc"})).await;
        env.command(&format!("/jobs/{aborted}/cancel")).await;
        let message = "Aborted via API call (aborted by unknown)";
        let expected = json!({"job_id": 27, "status": "ABORTED", "message": message});
        assert_eq!(client.message().await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_client_receives_log_lines_of_its_level_and_above() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["gc"]).await;
        let early = env.submit(&json!({"action": "gc"})).await;
        let early_token = env.claim(&worker, early).await;
        env.log(early, early_token, 0, &["before the subscription"]).await;
        let mut client = Client::connected(env).await;
        let mut errors_only = Client::connected(env).await;
        assert_eq!(client.subscribe(&json!({"loglevel": "INFO"})).await, json!([null]));
        assert_eq!(errors_only.subscribe(&json!({"loglevel": "ERROR"})).await, json!([null]));
        assert_eq!(errors_only.subscribe(&json!({"update": "job"})).await, json!([null]));
        env.log(early, early_token, 1, &["early"]).await;
        let line = client.message().await;
        assert!(line.as_str().unwrap().ends_with(" INFO in gc job #1: early"), "{line}");

        let id = env.submit(&json!({"action": "gc"})).await;
        let token = env.claim(&worker, id).await;
        let lines: Vec<String> = (0..250).map(|at| format!("line {at}")).collect();
        env.log(id, token, 0, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        env.finish(id, token, None).await;
        for at in 0..250 {
            let line = client.message().await;
            let end = format!(" INFO in gc job #2: line {at}");
            assert!(line.as_str().unwrap().ends_with(&end), "{line}");
        }
        // The client that subscribes to errors and jobs receives no log line.
        assert_eq!(errors_only.message().await["status"], "RUNNING");
        assert_eq!(errors_only.message().await["status"], "FINISHED");
    })
    .await;
}

#[tokio::test]
async fn clients_beyond_the_limit_are_refused() {
    with_env(async |env| {
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(Client::connected(env).await);
        }
        let (_, refused) = Client::open(env).await;
        assert!(refused.starts_with(r#"44{"message":"the limit of clients"#), "{refused}");
        clients.pop().unwrap().send("1").await;
        let reconnect = async || Client::open(env).await.1;
        eventually(reconnect, |answer| answer.starts_with("40")).await;
    })
    .await;
}
