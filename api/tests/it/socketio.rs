//! Socket.IO, spoken by hand over HTTP polling: what the reference's clients hear.

use std::collections::VecDeque;

use reqwest::header::ORIGIN;
use serde_json::{Value, json};

use crate::env::{TestEnv, eventually, with_env};

/// A client of Engine.IO 4 and Socket.IO 5.
struct Client<'a> {
    env: &'a TestEnv,
    url: String,
    packets: VecDeque<String>,
    asked: u32,
}

impl Client<'_> {
    /// Connects; what the server answers to that comes with it.
    async fn open(env: &TestEnv) -> (Client<'_>, String) {
        let url = format!("{}/socket.io/?EIO=4&transport=polling", env.url);
        let begin = env.client.get(&url).send().await.unwrap();
        assert_eq!(begin.status(), 200);
        let begin = begin.text().await.unwrap();
        let handshake: Value = serde_json::from_str(begin.strip_prefix('0').unwrap()).unwrap();
        let url = format!("{url}&sid={}", handshake["sid"].as_str().unwrap());
        let mut client = Client { env, url, packets: VecDeque::new(), asked: 0 };
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

    /// The next packet that is no ping.
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

    /// Asks for something, and gives what is acknowledged.
    async fn subscribe(&mut self, wanted: &Value) -> Value {
        self.asked += 1;
        self.send(&format!("42{}{}", self.asked, json!(["events", wanted]))).await;
        let answer = self.packet().await;
        let answer = answer.strip_prefix(&format!("43{}", self.asked)).expect("an acknowledgement");
        serde_json::from_str(answer).unwrap()
    }

    /// The next message.
    async fn told(&mut self) -> Value {
        let packet = self.packet().await;
        let message: Value = serde_json::from_str(packet.strip_prefix("42").unwrap()).unwrap();
        let [event, message] = &message.as_array().unwrap()[..] else { panic!("{packet}") };
        assert_eq!(event, "events");
        message.clone()
    }
}

#[tokio::test]
async fn jobs_are_told_as_they_change_and_never_before() {
    with_env(async |env| {
        let mut client = Client::connected(env).await;
        assert_eq!(client.subscribe(&json!({"update": "job"})).await, json!([null]));
        let two = json!({"sync": "all", "update": "job"});
        for wrong in [json!({"update": "jobs"}), json!({}), two] {
            assert_eq!(client.subscribe(&wrong).await, json!([false]), "{wrong}");
        }
        let worker = env.worker("default=16", &["gc"]).await;
        for number in 1..=25 {
            let id = env.submit(&json!({"action": "gc"})).await;
            let token = env.claim(&worker, id).await;
            let started = json!({
                "job_id": number, "status": "RUNNING",
                "function_name": "gc", "scheduled_by": "unknown",
            });
            assert_eq!(client.told().await, started);
            let shown = env.get_v1(&format!("/job/{number}")).await.json();
            assert_eq!(shown["data"]["jobs"][0]["status"], "RUNNING");
            env.finish(id, token, None).await;
            assert_eq!(client.told().await, json!({"job_id": number, "status": "FINISHED"}));
            let shown = env.get_v1(&format!("/job/{number}")).await.json();
            assert_eq!(shown["data"]["jobs"][0]["status"], "FINISHED");
        }
        let failing = env.submit(&json!({"action": "gc"})).await;
        let token = env.claim(&worker, failing).await;
        let progress = json!({"finished": ["a", "b"]});
        env.store.progress(failing, token, &progress).await.unwrap();
        env.fail(failing, token).await;
        assert_eq!(client.told().await["status"], "RUNNING");
        assert_eq!(client.told().await, json!({"job_id": 26, "finished_devices": ["a", "b"]}));
        let failed = json!({"job_id": 26, "status": "EXCEPTION", "exception": "it exited with 1"});
        assert_eq!(client.told().await, failed);
        let aborted = env.submit(&json!({"action": "gc"})).await;
        env.command(&format!("/jobs/{aborted}/cancel")).await;
        let message = "Aborted via API call (aborted by unknown)";
        let told = json!({"job_id": 27, "status": "ABORTED", "message": message});
        assert_eq!(client.told().await, told);
    })
    .await;
}

#[tokio::test]
async fn a_level_hears_the_lines_of_that_level_and_above() {
    with_env(async |env| {
        let worker = env.worker("default=16", &["gc"]).await;
        let early = env.submit(&json!({"action": "gc"})).await;
        let early_token = env.claim(&worker, early).await;
        env.log(early, early_token, 0, &["before anybody listened"]).await;
        let mut client = Client::connected(env).await;
        let mut deaf = Client::connected(env).await;
        assert_eq!(client.subscribe(&json!({"loglevel": "INFO"})).await, json!([null]));
        assert_eq!(deaf.subscribe(&json!({"loglevel": "ERROR"})).await, json!([null]));
        assert_eq!(deaf.subscribe(&json!({"update": "job"})).await, json!([null]));
        env.log(early, early_token, 1, &["early"]).await;
        let line = client.told().await;
        assert!(line.as_str().unwrap().ends_with(" INFO in gc job #1: early"), "{line}");

        let id = env.submit(&json!({"action": "gc"})).await;
        let token = env.claim(&worker, id).await;
        let lines: Vec<String> = (0..250).map(|at| format!("line {at}")).collect();
        env.log(id, token, 0, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        env.finish(id, token, None).await;
        for at in 0..250 {
            let line = client.told().await;
            let end = format!(" INFO in gc job #2: line {at}");
            assert!(line.as_str().unwrap().ends_with(&end), "{line}");
        }
        // Who listens to errors and jobs has heard of the jobs, and of no line.
        assert_eq!(deaf.told().await["status"], "RUNNING");
        assert_eq!(deaf.told().await["status"], "FINISHED");
    })
    .await;
}

#[tokio::test]
async fn pages_from_elsewhere_and_clients_beyond_the_limit_are_not_let_in() {
    with_env(async |env| {
        let request = env.client.get(format!("{}/socket.io?EIO=4&transport=polling", env.url));
        let begin = request.header(ORIGIN, "http://elsewhere").send().await.unwrap();
        let begin = begin.text().await.unwrap();
        let handshake: Value = serde_json::from_str(&begin[1..]).unwrap();
        let sid = handshake["sid"].as_str().unwrap();
        let url = format!("{}/socket.io/?EIO=4&transport=polling&sid={sid}", env.url);
        let mut foreign = Client { env, url, packets: VecDeque::new(), asked: 0 };
        foreign.send("40").await;
        assert!(foreign.packet().await.starts_with("44{\"message\":\"a page of another"));

        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(Client::connected(env).await);
        }
        let (_, refused) = Client::open(env).await;
        assert!(refused.starts_with("44{\"message\":\"as many clients"), "{refused}");
        clients.pop().unwrap().send("1").await;
        let again = async || Client::open(env).await.1;
        eventually(again, |answer| answer.starts_with("40")).await;
    })
    .await;
}
