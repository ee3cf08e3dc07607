//! Commands to a running worker: drain, resume, and another capacity.

use domain::job::{Status, WorkerId};
use e2e::StartServices;
use serde_json::json;
use store::{CommandAnswer, WorkerCommand, WorkerStatus};
use testkit::{ActionsFile, Gate, TestEnv, assert_consistent, job, jobs, with_parameters};

/// Waits until a worker has sent two more heartbeats: it has then received every command that was
/// given before.
async fn until_commands_are_received(env: &TestEnv, id: &WorkerId) {
    let lease_end = async || env.store().worker(id).await.unwrap().unwrap().heartbeat_expiration;
    for _ in 0..2 {
        let before = lease_end().await;
        env.eventually("a heartbeat", async || lease_end().await > before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_finishes_its_jobs_and_claims_none_until_it_is_resumed() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let scheduler = env.scheduler();
    let drained = env.worker_with(&["--capacity=scan=2", "--lease=5s", &actions.flag()]);
    let gated = job("gated", "scan=1");
    env.store().submit(std::slice::from_ref(&gated)).await.unwrap();
    let runs = async || env.job(gated.id).await.status == Status::Running;
    env.eventually("its job runs", runs).await;
    let id = env.job(gated.id).await.worker.unwrap();
    let status = async || env.store().worker(&id).await.unwrap().unwrap().status;

    assert_eq!(
        env.store().command_worker(&id, &WorkerCommand::Drain).await.unwrap(),
        CommandAnswer::Accepted
    );
    assert_eq!(status().await, WorkerStatus::Draining);
    until_commands_are_received(&env, &id).await;
    let other = env.worker("scan=2");
    let batch = jobs(20, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    for new in &batch {
        assert_ne!(env.finished(new.id).await.worker.as_ref(), Some(&id), "it is drained");
    }
    gate.open();
    assert_eq!(env.finished(gated.id).await.status, Status::Done);
    other.stop().await;

    assert_eq!(
        env.store().command_worker(&id, &WorkerCommand::Resume).await.unwrap(),
        CommandAnswer::Accepted
    );
    let batch = jobs(5, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    for new in &batch {
        assert_eq!(env.finished(new.id).await.worker.as_ref(), Some(&id));
    }
    assert_eq!(status().await, WorkerStatus::Running);
    drained.stop().await;
    assert_eq!(
        env.store().command_worker(&id, &WorkerCommand::Drain).await.unwrap(),
        CommandAnswer::Over
    );
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_worker_changes_its_capacity_up_and_down() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let (scheduler, worker) =
        (env.scheduler(), env.worker_with(&["--capacity=cpu=1", &actions.flag()]));
    let (large, gpu) = (job("noop", "cpu=4"), job("noop", "gpu=1"));
    env.store().submit(&[large.clone(), gpu.clone()]).await.unwrap();
    let registered = async || env.store().workers().await.unwrap().len() == 1;
    env.eventually("the worker is registered", registered).await;
    let id = env.store().workers().await.unwrap().remove(0).id;
    let set_capacity = async |map: &str| {
        let command = WorkerCommand::Capacity(map.parse().unwrap());
        assert_eq!(
            env.store().command_worker(&id, &command).await.unwrap(),
            CommandAnswer::Accepted
        );
        let wanted = format!("{map},default=16");
        env.eventually("the worker offers the new capacity", async || {
            let worker = env.store().worker(&id).await.unwrap().unwrap();
            worker.capacity_map.to_string() == wanted
        })
        .await;
    };
    set_capacity("cpu=4").await;
    assert_eq!(env.finished(large.id).await.status, Status::Done);
    assert_eq!(env.job(gpu.id).await.status, Status::Waiting);

    // Reduced while four jobs run: none is stopped, and no other starts until it fits.
    let four = jobs(4, "gated", "cpu=1");
    env.store().submit(&four).await.unwrap();
    let all_run = async || env.store().counts().await.unwrap().contains(&(Status::Running, 4));
    env.eventually("four jobs run", all_run).await;
    set_capacity("cpu=1").await;
    let sleep = || with_parameters(job("sleep", "cpu=1"), &json!({"seconds": 0.05}));
    let more: Vec<_> = (0..4).map(|_| sleep()).collect();
    env.store().submit(&more).await.unwrap();
    gate.open();
    for new in &four {
        let ended = env.finished(new.id).await;
        assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    }
    let mut spans = Vec::new();
    for new in &more {
        let ended = env.finished(new.id).await;
        spans.push((ended.started_at.unwrap(), ended.finished_at.unwrap()));
    }
    spans.sort();
    let one_at_a_time = spans.windows(2).all(|pair| pair[0].1 <= pair[1].0);
    assert!(one_at_a_time, "start and end of each: {spans:?}");
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
