//! Redis or RabbitMQ is down or out of memory: running jobs go on, and everything resumes by
//! itself.

use std::time::Duration;

use domain::job::{Status, Timestamp};
use e2e::{SHORT_LEASE, StartServices};
use testkit::{ActionsFile, Gate, PrivateRedis, TestEnv, assert_consistent, job, jobs};

/// Longer than [`SHORT_LEASE`].
const OUTAGE: Duration = Duration::from_secs(4);

/// Causes an outage while a job runs. That job is not stopped, and all 62 jobs are then done:
/// `outage` submits 31 of them.
pub(crate) async fn survive(env: &TestEnv, outage: impl AsyncFnOnce()) {
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let worker = env.worker_with(&["--capacity=scan=4", SHORT_LEASE, &actions.flag()]);
    let gated = job("gated", "scan=1");
    let mut batch = jobs(30, "noop", "");
    batch.push(gated.clone());
    env.store().submit(&batch).await.unwrap();
    let runs = async || env.job(gated.id).await.status == Status::Running;
    env.eventually("the job runs", runs).await;
    outage().await;
    gate.open();
    env.until_done(62).await;
    let ended = env.job(gated.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_redis_for_longer_than_the_lease_loses_nothing() {
    let mut redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    survive(&env, async || {
        env.store().submit(&jobs(31, "noop", "scan=1")).await.unwrap();
        redis.kill();
        tokio::time::sleep(OUTAGE).await;
        redis.restart().await;
    })
    .await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_memory_refuses_new_jobs_and_runs_those_that_it_has() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let (scheduler, worker) =
        (env.scheduler(), env.worker_with(&["--capacity=scan=1", &actions.flag()]));
    let gated = job("gated", "scan=1");
    env.store().submit(std::slice::from_ref(&gated)).await.unwrap();
    let runs = async || env.job(gated.id).await.status == Status::Running;
    env.eventually("the job runs", runs).await;
    // More than are offered at a time.
    let mut waiting = jobs(100, "noop", "scan=1");
    let soon = env.store().now().await.unwrap().ms() + 500;
    waiting.iter_mut().take(20).for_each(|job| job.scheduled_at = Some(Timestamp::from_ms(soon)));
    env.store().submit(&waiting).await.unwrap();
    redis.configure("maxmemory", "1mb");
    let refused = env.store().submit(&jobs(30, "noop", "scan=1")).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    gate.open();
    let ended = env.finished(gated.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    env.until_done(101).await;
    redis.configure("maxmemory", "0");
    env.store().submit(&jobs(30, "noop", "scan=1")).await.unwrap();
    env.until_done(131).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_of_rabbitmq_only_delays_jobs() {
    let env = TestEnv::new().await;
    survive(&env, async || {
        env.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await;
        env.store().submit(&jobs(31, "noop", "scan=1")).await.unwrap();
        let alarms = async || env.rabbitmqctl(&["eval", "rabbit_alarm:get_alarms()."]).await;
        env.eventually("the alarm is raised", async || alarms().await.contains("memory")).await;
        env.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    })
    .await;
    env.close().await;
}
