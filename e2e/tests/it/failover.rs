//! A replica of Redis takes the place of the primary: the services follow it without a restart.

use domain::job::Status;
use e2e::{SHORT_LEASE, StartServices};
use testkit::{ActionsFile, Gate, PrivateRedis, Proxy, TestEnv, assert_consistent, job, jobs};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_services_leave_the_old_primary_and_no_job_is_lost() {
    let (primary, replica) = (PrivateRedis::start().await, PrivateRedis::start().await);
    replica.replicate(&primary).await;
    let (proxy, url) = Proxy::in_front_of(primary.url()).await;
    let env = TestEnv::on(&url).await;
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
    primary.fail_over().await;
    // The connections are still open, and the old primary answers every read.
    let refused = env.store().submit(&jobs(1, "noop", "")).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    proxy.lead_to(replica.url());
    let more = jobs(30, "noop", "scan=1");
    let submitted = async || env.store().submit(&more).await.is_ok();
    env.eventually("jobs are accepted again", submitted).await;
    gate.open();
    env.until_done(61).await;
    let ended = env.job(gated.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
