//! Workers that lose their lease but stay alive: their jobs run elsewhere and stop where they were.

use domain::job::{JobId, OnWorkerLost, Status};
use e2e::{SHORT_LEASE, StartServices};
use testkit::{
    ActionsFile, Gate, TestEnv, assert_consistent, is_process_group_empty as is_empty, job,
};

/// Declares `long`, which prints its process group and then sleeps.
fn long_action() -> ActionsFile {
    ActionsFile::new("[actions.long]\nargv = ['sh', '-c', 'echo $$; exec sleep 600']")
}

/// Waits until a command has printed its process group.
async fn process_group(env: &TestEnv, id: JobId) -> String {
    let log = async || env.store().log_lines(id, 0, 1).await.unwrap();
    env.eventually("it prints its process group", async || !log().await.is_empty()).await;
    log().await[0].text.clone()
}

async fn until_status(env: &TestEnv, id: JobId, status: Status) {
    let reached = async || env.job(id).await.status == status;
    env.eventually(&format!("job {id} becomes {status}"), reached).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_returns_after_its_lease_expired_stops_its_job_and_reports_it() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let file = long_action();
    let actions = file.flag();
    let (proxy, through_proxy) = env.redis_proxy().await;
    let isolated = env.worker_with(&["--capacity=scan=1", SHORT_LEASE, &actions, &through_proxy]);
    let job = job("long", "scan=1");
    env.store().submit(std::slice::from_ref(&job)).await.unwrap();
    let group = process_group(&env, job.id).await;
    proxy.cut();
    until_status(&env, job.id, Status::WorkerDead).await;
    let other = env.worker_with(&["--capacity=scan=1", &actions]);
    let follow_up = env.job(job.id).await.follow_up.unwrap();
    let group_of_follow_up = process_group(&env, follow_up).await;
    assert!(!is_empty(&group), "no message could have stopped it");
    proxy.restore();
    until_status(&env, job.id, Status::WorkerResurrection).await;
    assert!(is_empty(&group), "process group {group} outlived its claim");
    assert!(!is_empty(&group_of_follow_up), "the follow-up was stopped too");
    assert_eq!(env.job(follow_up).await.status, Status::Running);
    assert_consistent(env.store()).await;
    env.store().delete(follow_up).await.unwrap();
    env.finished(follow_up).await;
    for service in [isolated, other, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_worker_stops_a_strict_job_when_its_lease_expires() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let file = long_action();
    let actions = file.flag();
    let (proxy, through_proxy) = env.redis_proxy().await;
    let isolated = env.worker_with(&["--capacity=scan=1", SHORT_LEASE, &actions, &through_proxy]);
    let mut strict = job("long", "scan=1");
    strict.spec.strict_lease = true;
    strict.spec.on_worker_lost = OnWorkerLost::Fail;
    env.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = process_group(&env, strict.id).await;
    proxy.cut();
    env.eventually("its process ends", async || is_empty(&group)).await;
    until_status(&env, strict.id, Status::WorkerDead).await;
    assert_eq!(env.job(strict.id).await.follow_up, None, "onWorkerLost is fail");
    proxy.restore();
    until_status(&env, strict.id, Status::WorkerResurrection).await;
    assert_consistent(env.store()).await;
    for service in [isolated, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_stopped_during_an_outage_has_a_follow_up_even_if_no_scheduler_noticed() {
    let env = TestEnv::new().await;
    let file = long_action();
    let actions = file.flag();
    let (proxy, through_proxy) = env.redis_proxy().await;
    // It publishes the job and stops, so none declares the worker dead.
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1", SHORT_LEASE, &actions, &through_proxy]);
    let mut strict = job("long", "scan=1");
    strict.spec.strict_lease = true;
    env.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = process_group(&env, strict.id).await;
    scheduler.stop().await;
    proxy.cut();
    env.eventually("its process ends", async || is_empty(&group)).await;
    proxy.restore();
    until_status(&env, strict.id, Status::WorkerShutdown).await;
    // The short lease may end on a busy machine, so the follow-up runs on another worker.
    worker.stop().await;
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1", &actions]);
    let follow_up = env.job(strict.id).await.follow_up.unwrap();
    process_group(&env, follow_up).await;
    assert_consistent(env.store()).await;
    env.store().delete(follow_up).await.unwrap();
    env.finished(follow_up).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_job_that_ended_within_its_lease_keeps_its_outcome_through_an_outage() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let file = ActionsFile::new(&gate.action("gated"));
    let actions = file.flag();
    let (proxy, through_proxy) = env.redis_proxy().await;
    // It publishes the job and stops, so none declares the worker dead.
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=1", SHORT_LEASE, &actions, &through_proxy]);
    let mut strict = job("gated", "scan=1");
    strict.spec.strict_lease = true;
    env.store().submit(std::slice::from_ref(&strict)).await.unwrap();
    let group = process_group(&env, strict.id).await;
    scheduler.stop().await;
    proxy.cut();
    gate.open();
    env.eventually("its process ends", async || is_empty(&group)).await;
    let expired = async || !env.store().ended_leases().await.unwrap().is_empty();
    env.eventually("the lease expires", expired).await;
    proxy.restore();
    let ended = env.finished(strict.id).await;
    assert_eq!((ended.status, ended.follow_up), (Status::Done, None));
    assert_consistent(env.store()).await;
    worker.stop().await;
    env.close().await;
}
