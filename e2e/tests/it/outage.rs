//! The broker loses what it holds, or is cut off: nothing is lost, and nobody needs a restart.

use std::time::Duration;

use domain::job::Status;
use domain::queue::QueueName;
use e2e::{Proxy, Redis, StartServices, TestEnv, assert_consistent, job, jobs};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_offers_the_broker_lost_are_offered_again() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let batch = jobs(50, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let queue = QueueName::of(&batch[0]);
    let broker = env.broker().await;
    env.eventually("they are offered", async || {
        broker.depth(&queue).await.unwrap().unwrap_or(0) > 0
            && env
                .store()
                .dump()
                .await
                .unwrap()
                .get("outbox")
                .is_none_or(|outbox| *outbox == store::Dumped::Stream(Vec::new()))
    })
    .await;
    broker.delete(&queue).await.unwrap();
    let worker = env.worker("scan=2");
    env.eventually("all jobs are done", async || {
        env.store().counts().await.unwrap().contains(&(Status::Done, 50))
    })
    .await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_deleted_under_load_comes_back_with_its_jobs() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=2"));
    let queue = QueueName::of(&job("noop", "scan=1"));
    let broker = env.broker().await;
    let done = async || {
        let counts = env.store().counts().await.unwrap().into_iter();
        counts.filter(|(status, _)| *status == Status::Done).map(|(_, count)| count).sum::<u64>()
    };
    for round in 0..5 {
        env.store().submit(&jobs(300, "noop", "scan=1")).await.unwrap();
        // Only one that works is deleted: RabbitMQ cannot make a queue any more that was deleted while it was made.
        env.eventually("jobs are done", async || done().await > round * 300).await;
        broker.delete(&queue).await.unwrap();
    }
    env.eventually("all jobs are done", async || done().await == 1_500).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_broke_in_the_broker_hinders_no_other_and_is_made_anew() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1,cpu=1"));
    let done = async |count: u64| {
        let counts = env.store().counts().await.unwrap();
        counts.contains(&(Status::Done, count))
    };
    env.store().submit(&[job("noop", "scan=1"), job("noop", "cpu=1")]).await.unwrap();
    env.eventually("both queues are there", async || done(2).await).await;
    // As a RabbitMQ leaves one that is killed while the queue is deleted and made again.
    let name =
        format!("{}.{}", env.store_config().namespace, QueueName::of(&job("noop", "scan=1")));
    let member = format!("{{binary_to_atom(<<\"%2F_{name}\">>, utf8), node()}}");
    let broken = format!("ra:force_delete_server(quorum_queues, {member}).");
    env.rabbitmqctl(&["eval", &broken]).await;
    let again = env.worker("scan=1,cpu=1");
    worker.stop().await;
    env.store().submit(&[job("noop", "scan=1"), job("noop", "cpu=1")]).await.unwrap();
    env.eventually("the other queue goes on", async || {
        let counts = env.store().counts().await.unwrap();
        counts.iter().any(|(status, count)| *status == Status::Done && *count >= 3)
    })
    .await;
    env.eventually("the queue is made anew", async || done(4).await).await;
    assert_consistent(env.store()).await;
    again.stop().await;
    scheduler.stop().await;
    env.close().await;
}

/// Cuts a line under load three times, for a second each: all jobs are done afterwards, by the same processes.
async fn a_line_that_is_cut_under_load(env: &TestEnv, proxy: &Proxy, flag: &str) {
    let schedulers = [env.scheduler_with(&[flag]), env.scheduler_with(&[flag])];
    let workers = ["scan=2", "scan=3"]
        .map(|capacity| env.worker_with(&[flag, "--lease=5s", &format!("--capacity={capacity}")]));
    for _ in 0..3 {
        env.store().submit(&jobs(200, "noop", "scan=1")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
        proxy.cut();
        env.store().submit(&jobs(50, "noop", "scan=1")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.mend();
    }
    env.eventually("every job, or its follow-up, is done", async || {
        let counts: std::collections::HashMap<_, _> =
            env.store().counts().await.unwrap().into_iter().collect();
        counts[&Status::Done] == 750 && counts[&Status::Running] + counts[&Status::Waiting] == 0
    })
    .await;
    assert_consistent(env.store()).await;
    for service in workers.into_iter().chain(schedulers) {
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_cut_off_under_load_loses_nothing_and_needs_no_restart() {
    let env = TestEnv::new().await;
    let (proxy, flag) = env.amqp_proxy().await;
    a_line_that_is_cut_under_load(&env, &proxy, &flag).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cut_off_under_load_loses_nothing_and_needs_no_restart() {
    let env = TestEnv::new().await;
    let (proxy, flag) = env.redis_proxy().await;
    a_line_that_is_cut_under_load(&env, &proxy, &flag).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_the_broker_refuses_hinders_no_other() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let namespace = env.store_config().namespace.clone();
    let pattern = format!("^{namespace}\\.scan=1\\.");
    let full = r#"{"max-length":1,"overflow":"reject-publish"}"#;
    let policy = ["set_policy", "--apply-to", "queues", &namespace, &pattern, full];
    env.rabbitmqctl(&policy).await;
    env.store().submit(&jobs(200, "noop", "scan=1")).await.unwrap();
    let worker = env.worker("cpu=2");
    let done = async |count| env.store().counts().await.unwrap().contains(&(Status::Done, count));
    for round in 1..=3 {
        env.store().submit(&jobs(100, "noop", "cpu=1")).await.unwrap();
        env.store().submit(&jobs(10, "noop", "scan=1")).await.unwrap();
        env.eventually("the others are done", async || done(round * 100).await).await;
    }
    env.rabbitmqctl(&["clear_policy", &namespace]).await;
    let scanner = env.worker("scan=2");
    env.eventually("all are done", async || done(530).await).await;
    assert_consistent(env.store()).await;
    for service in [worker, scanner, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_started_before_the_broker_and_the_store_wait_for_them() {
    let env = TestEnv::new().await;
    let ((redis, redis_flag), (amqp, amqp_flag)) =
        (env.redis_proxy().await, env.amqp_proxy().await);
    redis.cut();
    amqp.cut();
    let scheduler = env.scheduler_with(&[&redis_flag, &amqp_flag]);
    let worker = env.worker_with(&[&redis_flag, &amqp_flag, "--capacity=scan=1"]);
    env.store().submit(&jobs(5, "noop", "scan=1")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    redis.mend();
    tokio::time::sleep(Duration::from_millis(700)).await;
    amqp.mend();
    env.eventually("all jobs are done", async || {
        env.store().counts().await.unwrap().contains(&(Status::Done, 5))
    })
    .await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_away_for_longer_than_the_lease_stops_nothing_that_runs() {
    let env = TestEnv::new().await;
    let (proxy, flag) = env.redis_proxy().await;
    let scheduler = env.scheduler_with(&[&flag]);
    let worker = env.worker_with(&[&flag, "--lease=1s", "--capacity=scan=1"]);
    let mut long = job("sleep", "scan=1");
    long.spec.parameters = serde_json::json!({"seconds": 4}).as_object().cloned();
    env.store().submit(std::slice::from_ref(&long)).await.unwrap();
    let read = async || env.store().job(long.id).await.unwrap().unwrap();
    env.eventually("it runs", async || read().await.status == Status::Running).await;
    // Offered while the store is away, so that a claim is under way when it comes back.
    env.store().submit(&jobs(20, "noop", "")).await.unwrap();
    proxy.cut();
    env.store().submit(&jobs(20, "noop", "")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    proxy.mend();
    env.eventually("it ends", async || read().await.status.is_final()).await;
    let ended = read().await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    env.eventually("all jobs are done", async || {
        env.store().counts().await.unwrap().contains(&(Status::Done, 41))
    })
    .await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

/// A peer that vanishes without a word, as a machine does that dies: connections to it hang and never end.
async fn a_peer_that_vanishes_under_load(env: &TestEnv, proxy: &Proxy, flag: &str) {
    let (scheduler, worker) =
        (env.scheduler_with(&[flag]), env.worker_with(&[flag, "--capacity=scan=2"]));
    let all_done = async |count: u64| {
        env.eventually("all jobs, or their follow-ups, are done", async || {
            let counts: std::collections::HashMap<_, _> =
                env.store().counts().await.unwrap().into_iter().collect();
            counts[&Status::Done] == count
                && counts[&Status::Running] + counts[&Status::Waiting] == 0
        })
        .await;
    };
    env.store().submit(&jobs(20, "noop", "scan=1")).await.unwrap();
    all_done(20).await;
    proxy.hang();
    env.store().submit(&jobs(20, "noop", "scan=1")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.mend();
    all_done(40).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_vanished_without_a_word_is_connected_to_again() {
    let env = TestEnv::new().await;
    let (proxy, flag) = env.redis_proxy().await;
    a_peer_that_vanishes_under_load(&env, &proxy, &flag).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_that_vanished_without_a_word_is_connected_to_again() {
    let env = TestEnv::new().await;
    let (proxy, flag) = env.amqp_proxy().await;
    a_peer_that_vanishes_under_load(&env, &proxy, &flag).await;
    env.close().await;
}

/// Sleeps, and jobs that end at once, while something is away; nothing that runs is stopped, all of it ends well.
async fn work_goes_on(env: &TestEnv, away: impl AsyncFnOnce()) {
    let scheduler = env.scheduler();
    let worker = env.worker("scan=4");
    let mut long = job("sleep", "scan=1");
    long.spec.parameters = serde_json::json!({"seconds": 3}).as_object().cloned();
    let mut batch = jobs(30, "noop", "");
    batch.push(long.clone());
    env.store().submit(&batch).await.unwrap();
    let status = async || env.store().job(long.id).await.unwrap().unwrap().status;
    env.eventually("it runs", async || status().await == Status::Running).await;
    away().await;
    let all_done = async || {
        env.store().counts().await.is_ok_and(|counts| counts.contains(&(Status::Done, 62)))
    };
    env.eventually("all jobs are done", all_done).await;
    let ended = env.store().job(long.id).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_for_longer_than_the_lease_loses_nothing() {
    let mut redis = Redis::start().await;
    let env = TestEnv::on(&redis.url()).await;
    work_goes_on(&env, async || {
        env.store().submit(&jobs(31, "noop", "scan=1")).await.unwrap();
        redis.kill();
        tokio::time::sleep(Duration::from_secs(4)).await;
        redis.restart().await;
    })
    .await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_refuses_new_work_and_takes_the_ends_of_what_runs() {
    let redis = Redis::start().await;
    let env = TestEnv::on(&redis.url()).await;
    work_goes_on(&env, async || {
        redis.set("maxmemory", "1mb");
        let refused = env.store().submit(&jobs(31, "noop", "scan=1")).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        env.eventually("what runs ends, and that is recorded", async || {
            env.store().counts().await.unwrap().contains(&(Status::Running, 0))
        })
        .await;
        redis.set("maxmemory", "0");
        env.store().submit(&jobs(31, "noop", "scan=1")).await.unwrap();
    })
    .await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_of_rabbitmq_only_delays() {
    let env = TestEnv::new().await;
    work_goes_on(&env, async || {
        env.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await;
        env.store().submit(&jobs(31, "noop", "scan=1")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        env.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    })
    .await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_only_delays() {
    let env = TestEnv::new().await;
    let ((redis, redis_flag), (amqp, amqp_flag)) =
        (env.redis_proxy().await, env.amqp_proxy().await);
    redis.slow(Duration::from_millis(200));
    amqp.slow(Duration::from_millis(200));
    let scheduler = env.scheduler_with(&[&redis_flag, &amqp_flag]);
    let worker = env.worker_with(&[&redis_flag, &amqp_flag, "--lease=5s", "--capacity=scan=4"]);
    env.store().submit(&jobs(15, "noop", "scan=1")).await.unwrap();
    env.eventually("all jobs are done", async || {
        env.store().counts().await.unwrap().contains(&(Status::Done, 15))
    })
    .await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
