//! Redis has lost writes that it had acknowledged, as a failover to a replica that was behind does:
//! no job stays running that no worker runs.

use domain::job::Status;
use e2e::StartServices;
use testkit::{ActionsFile, Gate, PrivateRedis, TestEnv, assert_consistent, job};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_end_is_lost_runs_again_while_its_worker_lives_on() {
    let mut redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let (scheduler, worker) =
        (env.scheduler(), env.worker_with(&["--capacity=scan=4", &actions.flag()]));
    let gated = job("gated", "scan=1");
    env.store().submit(std::slice::from_ref(&gated)).await.unwrap();
    let runs = async || env.job(gated.id).await.status == Status::Running;
    env.eventually("the job runs", runs).await;
    redis.save();
    gate.open();
    assert_eq!(env.finished(gated.id).await.status, Status::Done);
    redis.roll_back().await;

    let lost = async || {
        let read = env.store().job(gated.id).await;
        read.is_ok_and(|job| job.is_some_and(|job| job.status == Status::WorkerDead))
    };
    env.eventually("the job ends as lost", lost).await;
    let follow_up = env.job(gated.id).await.follow_up.unwrap();
    let ended = env.finished(follow_up).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 2));
    assert_eq!(env.store().workers().await.unwrap().len(), 1, "it is the same worker");
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
