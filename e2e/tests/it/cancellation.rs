//! Cancelling, deleting and expiring jobs at every point of their path.

use domain::job::{Cancellation, JobId, Status, Timestamp};
use e2e::StartServices;
use serde_json::json;
use store::{CancelAnswer, DeleteAnswer};
use testkit::{
    ActionsFile, TestEnv, assert_consistent, is_process_group_empty, job, shared_queue,
    with_parameters,
};

/// Prints its process group and ignores SIGTERM.
const STUBBORN: &str = r#"
    [actions.stubborn]
    argv = ["sh", "-c", "trap '' TERM; echo $$; sleep 600 & wait; sleep 600"]
"#;

async fn cancel(env: &TestEnv, id: JobId) -> CancelAnswer {
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_is_cancelled_at_once_and_never_runs() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let mut scheduled = job("noop", "scan=1");
    scheduled.scheduled_at = Some(Timestamp::from_ms(4_000_000_000_000));
    let offered = job("noop", "scan=1");
    env.store().submit(&[scheduled.clone(), offered.clone()]).await.unwrap();
    let (broker, queue) = (env.broker().await, shared_queue(&offered));
    let is_offered = async || broker.depth(&queue).await.unwrap() == Some(1);
    env.eventually("one job is offered", is_offered).await;
    for id in [scheduled.id, offered.id] {
        assert_eq!(cancel(&env, id).await, CancelAnswer::Requested(Status::Cancel));
        assert_eq!(cancel(&env, id).await, CancelAnswer::Already(Status::Cancel));
    }
    let worker = env.worker("scan=1");
    let last = job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&last)).await.unwrap();
    env.finished(last.id).await;
    for id in [scheduled.id, offered.id] {
        assert!(env.job(id).await.started_at.is_none());
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_command_is_cancelled_by_notification_and_ends_with_its_process_group() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let actions = ActionsFile::new(STUBBORN);
    // The next heartbeat is due after the deadline of the test: only a notification is in time.
    let worker = env.worker_with(&["--capacity=scan=1", "--lease=600s", &actions.flag()]);
    let mut stubborn = job("stubborn", "scan=1");
    stubborn.spec.stop_timeout = "200ms".parse().unwrap();
    env.store().submit(std::slice::from_ref(&stubborn)).await.unwrap();
    let log = async || env.store().log_lines(stubborn.id, 0, 1).await.unwrap();
    env.eventually("it prints its process group", async || !log().await.is_empty()).await;
    assert_eq!(cancel(&env, stubborn.id).await, CancelAnswer::Requested(Status::CancelRequest));
    let stopped = env.finished(stubborn.id).await;
    assert_eq!((stopped.status, stopped.follow_up), (Status::Cancel, None));
    let group = log().await[0].text.clone();
    assert!(is_process_group_empty(&group), "process group {group} outlived its job");
    assert_eq!(cancel(&env, stubborn.id).await, CancelAnswer::Already(Status::Cancel));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_job_is_stopped_and_loses_its_log() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let sleep = with_parameters(job("sleep", "scan=1"), &json!({"seconds": 600}));
    let done = job("noop", "");
    env.store().submit(&[sleep.clone(), done.clone()]).await.unwrap();
    env.finished(done.id).await;
    let runs = async || env.job(sleep.id).await.status == Status::Running;
    env.eventually("the other job runs", runs).await;
    assert_eq!(env.store().delete(sleep.id).await.unwrap(), DeleteAnswer::Requested);
    assert_eq!(env.store().delete(done.id).await.unwrap(), DeleteAnswer::Deleted);
    env.finished(sleep.id).await;
    for id in [sleep.id, done.id] {
        assert_eq!(env.job(id).await.status, Status::Deleted);
        assert_eq!(env.store().delete(id).await.unwrap(), DeleteAnswer::Gone);
        assert!(env.store().log_lines(id, 0, 10).await.unwrap().is_empty());
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_does_not_start_before_it_expires_ends_as_an_error() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let now_ms = env.store().now().await.unwrap().ms();
    let mut late = job("noop", "scan=1");
    late.spec.expires_at = Some(Timestamp::from_ms(now_ms + 300));
    let mut in_time = job("noop", "");
    in_time.spec.expires_at = Some(Timestamp::from_ms(now_ms + 600_000));
    env.store().submit(&[late.clone(), in_time.clone()]).await.unwrap();
    let expired = env.finished(late.id).await;
    assert_eq!(expired.status, Status::Error);
    assert_eq!(expired.exception.unwrap().kind, "Expired");
    let worker = env.worker("scan=1");
    assert_eq!(env.finished(in_time.id).await.status, Status::Done);
    assert!(env.job(late.id).await.started_at.is_none());
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
