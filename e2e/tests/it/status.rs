//! Outages are shown in the status, in the reason why a job waits, and in the errors of the API.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use domain::job::JobId;
use e2e::StartServices;
use serde_json::{Value, json};
use testkit::{PrivateRedis, TestEnv, job};
use tokio::process::{Child, Command};

/// The path of a program, which is built together with the tests' own folder.
fn program(name: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap();
    let program = folder.parent().and_then(Path::parent).unwrap().join(name);
    assert!(program.exists(), "{name} is not built: run `cargo build --workspace --bins`");
    program
}

pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// An API process.
struct Api {
    process: Child,
    address: String,
    admin: String,
    http: reqwest::Client,
}

impl Api {
    async fn start(env: &TestEnv) -> Api {
        let (address, admin) = (free_address(), free_address());
        let config = env.store_config();
        let mut command = Command::new(program("capstan-api"));
        command.args(["--redis-url", &config.redis_url, "--namespace", &config.namespace]);
        command.args(["--listen", &address, "--admin-listen", &admin, "--log", "error"]);
        let process = command.kill_on_drop(true).spawn().unwrap();
        let api = Api { process, address, admin, http: reqwest::Client::new() };
        let ready = format!("http://{}/readyz", api.admin);
        let is_ready = async || match api.http.get(&ready).send().await {
            Ok(answer) => answer.status().is_success(),
            Err(_) => false,
        };
        env.eventually("the API is ready", is_ready).await;
        api
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}/api/v0{path}", self.address);
        let answer = self.http.get(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// Why a job waits, as its code and its message.
    async fn reason(&self, id: JobId) -> String {
        let reason = self.get(&format!("/jobs/{id}")).await["waitingFor"].clone();
        let text = |name: &str| reason[name].as_str().unwrap_or("-").to_owned();
        format!("{}: {}", text("code"), text("message"))
    }

    async fn warnings(&self) -> String {
        self.get("/status").await["warnings"].to_string()
    }

    /// Waits until the reason why a job waits and the warnings of the status contain these texts.
    async fn shows(&self, env: &TestEnv, id: JobId, reason: &str, warning: &str) {
        let shown = async || {
            self.reason(id).await.starts_with(reason) && self.warnings().await.contains(warning)
        };
        env.eventually(&format!("{reason:?} and {warning:?}"), shown).await;
    }

    async fn status_command(&self) -> Output {
        let mut command = Command::new(program("capstan"));
        command.args(["status", "--api", &format!("http://{}", self.address)]);
        command.output().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_says_which_outage_holds_up_a_job() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let mut api = Api::start(&env).await;
    let waiting = job("noop", "");
    env.store().submit(std::slice::from_ref(&waiting)).await.unwrap();
    let no_scheduler = "no scheduler is running, so no job is offered to workers";
    let capacity = "no live worker offers default=1";
    assert_eq!(api.reason(waiting.id).await, format!("outage: {no_scheduler}; {capacity}"));
    let output = api.status_command().await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains(no_scheduler), "{text}");

    let lost = env.scheduler_with(&["--amqp-url=amqp://guest:guest@127.0.0.1:1/%2f"]);
    let no_broker = "no scheduler can publish to RabbitMQ (rabbitmq: ";
    api.shows(&env, waiting.id, &format!("outage: {no_broker}"), no_broker).await;
    assert_eq!(api.get("/status").await["broker"]["ok"], false);
    lost.stop().await;
    let reason = api.reason(waiting.id).await;
    assert_eq!(reason, format!("outage: {no_scheduler}; {capacity}"), "it has retracted");

    let scheduler = env.scheduler();
    api.shows(&env, waiting.id, &format!("capacity: {capacity}"), "no worker is live").await;
    let status = api.get("/status").await;
    assert_eq!(status["broker"], json!({"ok": true, "why": null}));
    assert_eq!((&status["store"]["ok"], &status["jobs"]["waiting"]), (&json!(true), &json!(1)));

    redis.configure("maxmemory", "1mb");
    let full = "the store is full; new jobs are accepted when others are over";
    api.shows(&env, waiting.id, &format!("outage: {full}; {capacity}"), full).await;
    let url = format!("http://{}/api/v0/jobs", api.address);
    let refused = api.http.post(url).json(&json!({"action": "noop"})).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.unwrap().contains(full));
    let ready = async || {
        let answer = api.http.get(format!("http://{}/readyz", api.admin)).send().await.unwrap();
        answer.text().await.unwrap().contains(full)
    };
    env.eventually("/readyz says that the store is full", ready).await;
    let kinds = api.get("/status").await["services"].as_array().unwrap().len();
    assert_eq!(kinds, 2, "a full store hides no service");
    redis.configure("maxmemory", "0");

    api.process.kill().await.unwrap();
    let output = api.status_command().await;
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    scheduler.stop().await;
    env.close().await;
}
