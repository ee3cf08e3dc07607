//! Redis has lost writes that it had acknowledged, as a failover to a replica that was behind does:
//! no job stays running that no worker runs.

use broker::{Offer, Publisher};
use domain::job::{NewJob, Status, Timestamp};
use e2e::StartServices;
use testkit::{ActionsFile, Gate, PrivateRedis, TestEnv, assert_consistent, job, shared_queue};

/// Starts a job and returns when it runs.
async fn running_job(env: &TestEnv) -> NewJob {
    let gated = job("gated", "scan=1");
    env.store().submit(std::slice::from_ref(&gated)).await.unwrap();
    let runs = async || env.job(gated.id).await.status == Status::Running;
    env.eventually("the job runs", runs).await;
    gated
}

/// Waits until the job has ended as lost and its follow-up is done.
async fn until_it_has_run_again(env: &TestEnv, job: &NewJob) {
    let lost = async || {
        let read = env.store().job(job.id).await;
        read.is_ok_and(|job| job.is_some_and(|job| job.status == Status::WorkerDead))
    };
    env.eventually("the job ends as lost", lost).await;
    let follow_up = env.job(job.id).await.follow_up.unwrap();
    let ended = env.finished(follow_up).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 2));
    assert_eq!(env.store().workers().await.unwrap().len(), 1, "it is the same worker");
    assert_consistent(env.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_end_is_lost_runs_again_while_its_worker_lives_on() {
    let mut redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let (scheduler, worker) =
        (env.scheduler(), env.worker_with(&["--capacity=scan=4", &actions.flag()]));
    let gated = running_job(&env).await;
    redis.save();
    gate.open();
    assert_eq!(env.finished(gated.id).await.status, Status::Done);
    redis.roll_back().await;
    until_it_has_run_again(&env, &gated).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_end_is_lost_does_not_run_again_with_the_same_token() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let lease = "--lease=30s";
    let scheduler = env.scheduler();
    let worker = env.worker_with(&["--capacity=scan=4", lease, &actions.flag()]);
    let gated = running_job(&env).await;
    // The state is restored without a restart, so that no heartbeat comes before the claim.
    let copy = |from: &str, to: &str| {
        let script = format!(
            "for _, key in ipairs(redis.call('KEYS', '{to}*')) do redis.call('DEL', key) end \
             for _, key in ipairs(redis.call('KEYS', '{from}*')) do \
               redis.call('COPY', key, '{to}' .. string.sub(key, #'{from}' + 1), 'REPLACE') \
             end"
        );
        let _ = redis.command(&["eval", &script, "0"]);
    };
    let namespace = &env.store_config().namespace;
    let keys = format!("{{{namespace}}}");
    copy(&keys, "saved");
    gate.open();
    assert_eq!(env.finished(gated.id).await.status, Status::Done);
    copy("saved", &keys);
    // RabbitMQ delivers the offer again, and the record says that this worker runs the job.
    let mut publisher = Publisher::new(env.broker().await).await.unwrap();
    let offers = [(shared_queue(&gated), Offer::new(Timestamp::from_ms(1), 1, vec![gated.id]))];
    assert!(publisher.publish(&offers, broker::CALL_LIMIT).await.unwrap().is_empty());
    until_it_has_run_again(&env, &gated).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
