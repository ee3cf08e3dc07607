//! Actions that are Rust functions.

use std::time::{Duration, Instant};

use domain::job::{Cancellation, Exception, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testkit::{Service, job, serve};
use worker::{ActionDefaults, Config, Context, Shutdown, Worker};

use crate::world::{World, with};

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

/// Blocks its thread until it is asked to stop, and says so.
async fn blocks(_: Value, context: Context) -> anyhow::Result<()> {
    while context.stop_reason().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    context.log("I was asked to").await;
    anyhow::bail!("stopped")
}

/// Never listens to anybody.
async fn deaf(_: Value, context: Context) -> anyhow::Result<()> {
    context.log("deaf").await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn worker_of(world: &World) -> Service {
    let config: Config = world.house.config(&["--lease=1s", "--capacity=cpu=8"]);
    let defaults = ActionDefaults { retries: Some(3), ..ActionDefaults::default() };
    serve(|asked| {
        let worker = Worker::new(config).action("resize", resize).action("jam", jam);
        let worker = worker.action("panics", panics).action("blocks", blocks);
        let worker = worker.action_with("deaf", defaults, deaf);
        worker.run_until(Shutdown { asked, ..Shutdown::default() })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_takes_its_parameters_and_gives_its_result_as_types() {
    let world = World::new().await;
    let worker = worker_of(&world);
    let job = world.done("resize", &json!({"width": 7})).await;
    let token = job.token.unwrap().0;
    assert_eq!(job.result, Some(json!({"width": 7, "token": token})));
    assert_eq!(world.log(job.id).await, ["stdout: to 7 pixels"]);
    let told = [
        ("resize", json!({"width": -1}), "BadParameter", "parameters.width: invalid value"),
        ("resize", json!({}), "BadParameter", "parameters: missing field `width`"),
        ("resize", json!({"width": 1, "x": 1}), "BadParameter", "parameters.x: unknown field"),
        ("jam", json!({}), "PaperJam", "tray 2"),
        ("panics", json!({}), "Panic", "no luck"),
    ];
    for (action, parameters, kind, message) in told {
        let failed = world.failed(action, &parameters).await;
        assert_eq!(failed.0, kind);
        assert!(failed.1.starts_with(message), "{}", failed.1);
    }
    let announced = world.house.store().action_defaults().await.unwrap();
    assert_eq!(announced[&"deaf".parse().unwrap()].retries, Some(3));
    worker.stop().await;
    world.close().await;
}

#[tokio::test]
async fn functions_that_block_harm_neither_the_heart_nor_other_jobs_on_one_thread() {
    let world = World::new().await;
    let worker = worker_of(&world);
    let blocking: Vec<_> = (0..6).map(|_| with(job("blocks", "cpu=1"), &json!({}))).collect();
    world.house.store().submit(&blocking).await.unwrap();
    for job in &blocking {
        let running = async || world.look(job.id).await.status == Status::Running;
        world.house.eventually("it runs", running).await;
    }
    // Twice the lease: a heart that was held up would have lost it by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.done("resize", &json!({"width": 7})).await;
    for job in &blocking {
        assert_eq!(world.look(job.id).await.status, Status::Running);
        world.house.store().cancel(&[job.id], &Cancellation::default()).await.unwrap();
    }
    for job in &blocking {
        assert_eq!(world.ended(job.id).await.status, Status::Cancel);
        assert_eq!(world.log(job.id).await, ["stdout: I was asked to"]);
    }
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_never_listens_is_given_up() {
    let world = World::new().await;
    let worker = worker_of(&world);
    let mut deaf = with(job("deaf", ""), &json!({}));
    deaf.spec.stop_timeout = "100ms".parse().unwrap();
    world.house.store().submit(std::slice::from_ref(&deaf)).await.unwrap();
    world.said(deaf.id, 1).await;
    let began = Instant::now();
    world.house.store().cancel(&[deaf.id], &Cancellation::default()).await.unwrap();
    assert_eq!(world.ended(deaf.id).await.status, Status::Cancel);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    worker.stop().await;
    world.close().await;
}
