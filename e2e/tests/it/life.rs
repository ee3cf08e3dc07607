//! What people ask for of jobs and workers while they are on their way: cancel, delete, drain, another capacity.

use domain::job::{Cancelled, JobId, Status, Timestamp};
use e2e::{StartServices, TestEnv, assert_consistent, job, jobs};
use serde_json::json;
use store::{Cancelling, Deleting, Steer, Steered, WorkerStatus};

use crate::world::{Actions, ended, look, no_process_in_group, with};

async fn cancel(env: &TestEnv, id: JobId) -> Cancelling {
    env.store().cancel(&[id], &Cancelled::default()).await.unwrap().remove(0)
}

async fn running(env: &TestEnv, id: JobId) {
    let runs = async || look(env.store(), id).await.status == Status::Running;
    env.eventually("it runs", runs).await;
}

const STUBBORN: &str = r#"
    [actions.stubborn]
    argv = ["sh", "-c", "trap '' TERM; echo $$; sleep 60 & wait; sleep 60"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_is_cancelled_at_once_and_never_runs() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let mut later = job("noop", "scan=1");
    later.scheduled_at = Some(Timestamp::from_ms(4_000_000_000_000));
    let offered = job("noop", "scan=1");
    env.store().submit(&[later.clone(), offered.clone()]).await.unwrap();
    let broker = env.broker().await;
    let queue = domain::queue::QueueName::of(&offered);
    env.eventually("it is offered", async || broker.depth(&queue).await.unwrap() == Some(1)).await;
    for id in [later.id, offered.id] {
        assert_eq!(cancel(&env, id).await, Cancelling::Asked(Status::Cancel));
        assert_eq!(cancel(&env, id).await, Cancelling::Already(Status::Cancel));
    }
    let worker = env.worker("scan=1");
    let last = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&last)).await.unwrap();
    ended(&env, last.id).await;
    for id in [later.id, offered.id] {
        assert!(look(env.store(), id).await.started_at.is_none());
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_command_hears_of_its_cancel_without_waiting_for_a_beat_and_ends_with_its_group()
{
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = Actions::new(STUBBORN);
    // It beats every twelve seconds: what is told sooner was pushed.
    let worker = env.worker_with(&["--capacity=scan=1", "--lease=60s", &actions.flag()]);
    let mut stubborn = job("stubborn", "scan=1");
    stubborn.spec.stop_timeout = "200ms".parse().unwrap();
    env.store().submit(std::slice::from_ref(&stubborn)).await.unwrap();
    let said = async || env.store().log_lines(stubborn.id, 0, 1).await.unwrap();
    env.eventually("it says its group", async || !said().await.is_empty()).await;
    assert_eq!(cancel(&env, stubborn.id).await, Cancelling::Asked(Status::CancelRequest));
    let asked = look(env.store(), stubborn.id).await.last_updated;
    let stopped = ended(&env, stubborn.id).await;
    assert_eq!((stopped.status, stopped.follow_up), (Status::Cancel, None));
    let took_ms = stopped.finished_at.unwrap().ms() - asked.ms();
    assert!((200..8_000).contains(&took_ms), "SIGTERM, then SIGKILL after 200 ms: {took_ms} ms");
    let group = said().await[0].text.clone();
    assert!(no_process_in_group(&group), "group {group} outlived its job");
    assert_eq!(cancel(&env, stubborn.id).await, Cancelling::Already(Status::Cancel));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_job_is_stopped_and_then_gone_with_its_log() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let sleep = with(job("sleep", "scan=1"), &json!({"seconds": 60}));
    let done = job("noop", "");
    env.store().submit(&[sleep.clone(), done.clone()]).await.unwrap();
    ended(&env, done.id).await;
    running(&env, sleep.id).await;
    assert_eq!(env.store().delete(sleep.id).await.unwrap(), Deleting::Requested);
    assert_eq!(env.store().delete(done.id).await.unwrap(), Deleting::Deleted);
    ended(&env, sleep.id).await;
    for id in [sleep.id, done.id] {
        assert_eq!(look(env.store(), id).await.status, Status::Deleted);
        assert_eq!(env.store().delete(id).await.unwrap(), Deleting::Gone);
        assert!(env.store().log_lines(id, 0, 10).await.unwrap().is_empty());
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_runs_on_and_claims_nothing_until_it_is_resumed() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=2"));
    let long = with(job("sleep", "scan=1"), &json!({"seconds": 1.5}));
    env.store().submit(std::slice::from_ref(&long)).await.unwrap();
    running(&env, long.id).await;
    let id = look(env.store(), long.id).await.worker.unwrap();
    let status = async || env.store().worker(&id).await.unwrap().unwrap().status;
    assert_eq!(env.store().steer(&id, &Steer::Drain).await.unwrap(), Steered::Told);
    assert_eq!(status().await, WorkerStatus::Draining);
    // What it hears takes a moment; a claim that is under way meanwhile is carried out.
    let probe = async || {
        let probe = job("noop", "scan=1");
        env.store().submit(std::slice::from_ref(&probe)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        look(env.store(), probe.id).await.status == Status::Waiting
    };
    env.eventually("it claims nothing more", probe).await;
    assert_eq!(ended(&env, long.id).await.status, Status::Done);
    let waiting = jobs(20, "noop", "scan=1");
    env.store().submit(&waiting).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    for job in &waiting {
        assert_eq!(look(env.store(), job.id).await.status, Status::Waiting);
    }
    assert_eq!(env.store().steer(&id, &Steer::Resume).await.unwrap(), Steered::Told);
    for job in &waiting {
        ended(&env, job.id).await;
    }
    assert_eq!(status().await, WorkerStatus::Running);
    worker.stop().await;
    assert_eq!(env.store().steer(&id, &Steer::Drain).await.unwrap(), Steered::Over);
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_another_capacity_while_it_runs_up_and_down() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("cpu=1"));
    let (large, gpu) = (job("noop", "cpu=4"), job("noop", "gpu=1"));
    env.store().submit(&[large.clone(), gpu.clone()]).await.unwrap();
    env.eventually("the worker is there", async || env.store().workers().await.unwrap().len() == 1)
        .await;
    let id = env.store().workers().await.unwrap().remove(0).id;
    let offer = async |map: &str| {
        let steer = Steer::Capacity(map.parse().unwrap());
        assert_eq!(env.store().steer(&id, &steer).await.unwrap(), Steered::Told);
        let wanted = format!("{map},default=16");
        env.eventually("it offers that", async || {
            let worker = env.store().worker(&id).await.unwrap().unwrap();
            worker.capacity_map.to_string() == wanted
        })
        .await;
    };
    offer("cpu=4").await;
    assert_eq!(ended(&env, large.id).await.status, Status::Done);
    assert_eq!(look(env.store(), gpu.id).await.status, Status::Waiting);
    // Downwards while four run: none is stopped, and none more starts until fewer run than fit.
    let four: Vec<_> =
        (0..4).map(|_| with(job("sleep", "cpu=1"), &json!({"seconds": 1}))).collect();
    env.store().submit(&four).await.unwrap();
    for job in &four {
        running(&env, job.id).await;
    }
    offer("cpu=1").await;
    let more: Vec<_> =
        (0..4).map(|_| with(job("sleep", "cpu=1"), &json!({"seconds": 0.05}))).collect();
    env.store().submit(&more).await.unwrap();
    let mut spans = Vec::new();
    for job in &four {
        let job = ended(&env, job.id).await;
        assert_eq!((job.status, job.attempt), (Status::Done, 1));
    }
    for job in &more {
        let job = ended(&env, job.id).await;
        spans.push((job.started_at.unwrap(), job.finished_at.unwrap()));
    }
    spans.sort();
    assert!(spans.windows(2).all(|two| two[0].1 <= two[1].0), "one at a time: {spans:?}");
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_not_started_in_time_ends_as_an_error() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let clock = job("noop", "");
    let now = env.store().submit(std::slice::from_ref(&clock)).await.unwrap()[0].created_at.ms();
    let mut late = job("noop", "scan=1");
    late.spec.expires_at = Some(Timestamp::from_ms(now + 300));
    let mut in_time = job("noop", "");
    in_time.spec.expires_at = Some(Timestamp::from_ms(now + 600_000));
    env.store().submit(&[late.clone(), in_time.clone()]).await.unwrap();
    let expired = ended(&env, late.id).await;
    assert_eq!(expired.status, Status::Error);
    assert_eq!(expired.exception.unwrap().kind, "Expired");
    let worker = env.worker("scan=1");
    assert_eq!(ended(&env, in_time.id).await.status, Status::Done);
    assert!(look(env.store(), late.id).await.started_at.is_none());
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
