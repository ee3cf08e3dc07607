//! Actions that are Rust functions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::job::{Cancellation, Exception, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testkit::{Service, job, with_parameters};
use worker::{ActionDefaults, Context};

use crate::env::WorkerEnv;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resize {
    width: u32,
}

#[derive(Serialize)]
struct Resized {
    width: u32,
    token: u64,
}

async fn resize(resize: Resize, context: Context) -> anyhow::Result<Resized> {
    context.log(format!("to {} pixels", resize.width)).await;
    Ok(Resized { width: resize.width, token: context.token().0 })
}

async fn jam(_: Value, _: Context) -> Result<(), Exception> {
    Err(Exception::new("PaperJam", "tray 2"))
}

async fn panics(_: Value, _: Context) -> anyhow::Result<()> {
    panic!("no luck")
}

/// Blocks its thread until a stop request.
async fn blocks(_: Value, context: Context) -> anyhow::Result<()> {
    while context.stop_reason().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    context.log("stopping").await;
    anyhow::bail!("stopped")
}

static RELEASED: AtomicBool = AtomicBool::new(false);

/// Ignores stop requests: blocks its thread until the test releases it.
async fn ignores(_: Value, context: Context) -> anyhow::Result<()> {
    context.log("started").await;
    while !RELEASED.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn worker(env: &WorkerEnv) -> Service {
    let defaults = ActionDefaults { retries: Some(3), ..ActionDefaults::default() };
    env.functions(&["--lease=1s", "--capacity=cpu=8"], |worker| {
        let worker = worker.action("resize", resize).action("jam", jam);
        let worker = worker.action("panics", panics).action("blocks", blocks);
        worker.action_with("ignores", defaults, ignores)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_has_typed_parameters_and_a_typed_result() {
    let env = WorkerEnv::new().await;
    let worker = worker(&env);
    let job = env.succeed("resize", &json!({"width": 7})).await;
    let token = job.token.unwrap().0;
    assert_eq!(job.result, Some(json!({"width": 7, "token": token})));
    assert_eq!(env.log(job.id).await, ["stdout: to 7 pixels"]);
    let cases = [
        ("resize", json!({"width": -1}), "BadParameter", "parameters.width: invalid value"),
        ("resize", json!({}), "BadParameter", "parameters: missing field `width`"),
        ("resize", json!({"width": 1, "x": 1}), "BadParameter", "parameters.x: unknown field"),
        ("jam", json!({}), "PaperJam", "tray 2"),
        ("panics", json!({}), "Panic", "no luck"),
    ];
    for (action, parameters, kind, message) in cases {
        let failed = env.fail(action, &parameters).await;
        assert_eq!(failed.0, kind);
        assert!(failed.1.starts_with(message), "{}", failed.1);
    }
    let announced = env.store().action_defaults().await.unwrap();
    assert_eq!(announced.of(&"ignores".parse().unwrap()).unwrap().retries, Some(3));
    worker.stop().await;
    env.close().await;
}

#[tokio::test]
async fn functions_that_block_delay_neither_heartbeats_nor_other_jobs() {
    let env = WorkerEnv::new().await;
    let worker = worker(&env);
    let blocking: Vec<_> =
        (0..6).map(|_| with_parameters(job("blocks", "cpu=1"), &json!({}))).collect();
    env.store().submit(&blocking).await.unwrap();
    for job in &blocking {
        let running = async || env.job(job.id).await.status == Status::Running;
        env.eventually("the job runs", running).await;
    }
    // Without heartbeats the lease of now would expire, and the jobs with it.
    let expires = async || env.store().workers().await.unwrap()[0].heartbeat_expiration;
    let lease = expires().await;
    let outlived = async || env.store().now().await.unwrap() > lease;
    env.eventually("the lease has been renewed", outlived).await;
    assert!(expires().await > lease);
    env.succeed("resize", &json!({"width": 7})).await;
    for job in &blocking {
        assert_eq!(env.job(job.id).await.status, Status::Running);
        env.store().cancel(&[job.id], &Cancellation::default()).await.unwrap();
    }
    for job in &blocking {
        assert_eq!(env.finished(job.id).await.status, Status::Cancel);
        assert_eq!(env.log(job.id).await, ["stdout: stopping"]);
    }
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_ignores_its_stop_request_is_abandoned() {
    let env = WorkerEnv::new().await;
    let worker = worker(&env);
    let mut job = with_parameters(job("ignores", ""), &json!({}));
    job.spec.stop_timeout = "100ms".parse().unwrap();
    env.store().submit(std::slice::from_ref(&job)).await.unwrap();
    env.logged(job.id, 1).await;
    env.store().cancel(&[job.id], &Cancellation::default()).await.unwrap();
    assert_eq!(env.finished(job.id).await.status, Status::Cancel, "while its thread still runs");
    RELEASED.store(true, Ordering::Relaxed);
    worker.stop().await;
    env.close().await;
}
