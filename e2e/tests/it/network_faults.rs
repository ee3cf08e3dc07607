//! Connections to Redis and RabbitMQ that are cut, stalled or slow: no job is lost, and no service
//! needs a restart.

use std::time::Duration;

use domain::job::Status;
use e2e::{SHORT_LEASE, StartServices};
use testkit::{ActionsFile, Gate, Proxy, TestEnv, assert_consistent, job, jobs};

/// Waits until services have tried `count` more times to connect through a proxy that fails.
async fn until_reconnects(env: &TestEnv, proxy: &Proxy, count: usize) {
    let before = proxy.failed_connections();
    let tried = async || proxy.failed_connections() >= before + count;
    env.eventually("services try to reconnect", tried).await;
}

/// Cuts connections three times under load. The same processes then finish all jobs.
async fn cut_under_load(env: &TestEnv, proxy: &Proxy, through_proxy: &str) {
    let schedulers = [env.scheduler_with(&[through_proxy]), env.scheduler_with(&[through_proxy])];
    let workers = ["--capacity=scan=2", "--capacity=scan=3"]
        .map(|capacity| env.worker_with(&[through_proxy, capacity]));
    for round in 0..3 {
        env.store().submit(&jobs(200, "noop", "scan=1")).await.unwrap();
        let progress = async || {
            let counts = env.store().counts().await.unwrap();
            counts.iter().any(|(status, count)| *status == Status::Done && *count > round * 250)
        };
        env.eventually("jobs are done", progress).await;
        proxy.cut();
        env.store().submit(&jobs(50, "noop", "scan=1")).await.unwrap();
        until_reconnects(env, proxy, schedulers.len() + workers.len()).await;
        proxy.restore();
    }
    env.until_done(750).await;
    assert_consistent(env.store()).await;
    for service in workers.into_iter().chain(schedulers) {
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cutting_rabbitmq_off_under_load_loses_nothing_and_needs_no_restart() {
    let env = TestEnv::new().await;
    let (proxy, through_proxy) = env.amqp_proxy().await;
    cut_under_load(&env, &proxy, &through_proxy).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cutting_redis_off_under_load_loses_nothing_and_needs_no_restart() {
    let env = TestEnv::new().await;
    let (proxy, through_proxy) = env.redis_proxy().await;
    cut_under_load(&env, &proxy, &through_proxy).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_start_before_redis_and_rabbitmq_wait_for_them() {
    let env = TestEnv::new().await;
    let (redis, through_redis) = env.redis_proxy().await;
    let (amqp, through_amqp) = env.amqp_proxy().await;
    redis.cut();
    amqp.cut();
    let scheduler = env.scheduler_with(&[&through_redis, &through_amqp]);
    let worker = env.worker_with(&[&through_redis, &through_amqp, "--capacity=scan=1"]);
    env.store().submit(&jobs(5, "noop", "scan=1")).await.unwrap();
    until_reconnects(&env, &redis, 4).await;
    redis.restore();
    until_reconnects(&env, &amqp, 4).await;
    amqp.restore();
    env.until_done(5).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_redis_for_longer_than_the_lease_stops_no_running_job() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let (proxy, through_proxy) = env.redis_proxy().await;
    let scheduler = env.scheduler_with(&[SHORT_LEASE, &through_proxy]);
    let worker =
        env.worker_with(&["--capacity=scan=1", SHORT_LEASE, &through_proxy, &actions.flag()]);
    let gated = job("gated", "scan=1");
    env.store().submit(std::slice::from_ref(&gated)).await.unwrap();
    let runs = async || env.job(gated.id).await.status == Status::Running;
    env.eventually("the job runs", runs).await;
    // Offered just before and during the outage, so that a claim is pending when Redis returns.
    env.store().submit(&jobs(20, "noop", "")).await.unwrap();
    proxy.cut();
    env.store().submit(&jobs(20, "noop", "")).await.unwrap();
    let expired = async || !env.store().ended_leases().await.unwrap().is_empty();
    env.eventually("the lease expires", expired).await;
    proxy.restore();
    gate.open();
    let ended = env.finished(gated.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    env.until_done(41).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

/// Stalls connections under load, as when the machine of a peer loses power: they stay open, and no
/// data arrives.
async fn stall_under_load(env: &TestEnv, proxy: &Proxy, through_proxy: &str) {
    let scheduler = env.scheduler_with(&[through_proxy]);
    let worker = env.worker_with(&[through_proxy, "--capacity=scan=2"]);
    env.store().submit(&jobs(20, "noop", "scan=1")).await.unwrap();
    env.until_done(20).await;
    proxy.stall();
    env.store().submit(&jobs(20, "noop", "scan=1")).await.unwrap();
    until_reconnects(env, proxy, 1).await;
    proxy.restore();
    env.until_done(40).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_reconnect_to_redis_after_its_connections_stalled() {
    let env = TestEnv::new().await;
    let (proxy, through_proxy) = env.redis_proxy().await;
    stall_under_load(&env, &proxy, &through_proxy).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_reconnect_to_rabbitmq_after_its_connections_stalled() {
    let env = TestEnv::new().await;
    let (proxy, through_proxy) = env.amqp_proxy().await;
    stall_under_load(&env, &proxy, &through_proxy).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_only_delays_jobs() {
    let env = TestEnv::new().await;
    let (redis, through_redis) = env.redis_proxy().await;
    let (amqp, through_amqp) = env.amqp_proxy().await;
    redis.delay(Duration::from_millis(200));
    amqp.delay(Duration::from_millis(200));
    let scheduler = env.scheduler_with(&[&through_redis, &through_amqp]);
    let worker = env.worker_with(&[&through_redis, &through_amqp, "--capacity=scan=4"]);
    env.store().submit(&jobs(15, "noop", "scan=1")).await.unwrap();
    env.until_done(15).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
