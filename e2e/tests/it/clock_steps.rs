//! The clock of Redis is set while jobs run and wait: no worker is taken for dead, and no job waits
//! until the clock has caught up.

use domain::job::{Backoff, JobId, Status};
use e2e::{SHORT_LEASE, StartServices};
use testkit::{ActionsFile, Gate, PrivateRedis, Service, TestEnv, assert_consistent, job, jobs};

/// Far more than a lease, and more than a test may take.
const STEP_S: i64 = 600;
/// Longer than the time until the step, and much shorter than the step.
const BACKOFF: &str = "10s";

async fn until_status(env: &TestEnv, id: JobId, status: Status) {
    let reached = async || env.job(id).await.status == status;
    env.eventually(&format!("job {id} becomes {status}"), reached).await;
}

/// Sets the clock while one worker runs a job and another dies with one. The first job is not
/// disturbed, and the second continues elsewhere.
async fn survive(step_s: i64, before: impl AsyncFnOnce(&TestEnv)) {
    let (redis, clock) = PrivateRedis::with_clock().await;
    let env = TestEnv::on(redis.url()).await;
    let (gate, other_gate) = (Gate::new(), Gate::new());
    let declared = format!("{}\n{}", gate.action("gated"), other_gate.action("other"));
    let actions = ActionsFile::new(&declared);
    let worker = |capacity: &str| -> Service {
        env.worker_with(&[&format!("--capacity={capacity}"), SHORT_LEASE, &actions.flag()])
    };
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let (kept, dying) = (worker("scan=2"), worker("gpu=1"));
    let (running, lost) = (job("gated", "scan=1"), job("other", "gpu=1"));
    env.store().submit(&[running.clone(), lost.clone()]).await.unwrap();
    for id in [running.id, lost.id] {
        until_status(&env, id, Status::Running).await;
    }
    before(&env).await;
    dying.kill().await;
    clock.set(step_s);
    // The lease reaper acts on the dead worker, so it has also looked at the live one.
    until_status(&env, lost.id, Status::WorkerDead).await;
    assert_eq!(env.job(running.id).await.status, Status::Running);
    other_gate.open();
    let successor = worker("gpu=1");
    env.finished(env.job(lost.id).await.follow_up.unwrap()).await;
    gate.open();
    let ended = env.finished(running.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    env.store().submit(&jobs(10, "noop", "scan=1")).await.unwrap();
    let all_ended = async || {
        let counts = env.store().counts().await.unwrap_or_default();
        counts.iter().all(|(status, count)| status.is_final() || *count == 0)
    };
    env.eventually("all jobs end", all_ended).await;
    let counts = env.store().counts().await.unwrap();
    let dead = counts.iter().find(|(status, _)| *status == Status::WorkerDead);
    assert_eq!(dead, Some(&(Status::WorkerDead, 1)), "only the killed worker is dead: {counts:?}");
    assert_consistent(env.store()).await;
    for service in [kept, successor, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_kills_no_worker() {
    survive(STEP_S, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_clock_was_set_back_dead_workers_are_found_and_no_job_waits_for_it() {
    survive(-STEP_S, async |env| {
        // Ready before the step, with no worker yet.
        let ready = job("noop", "gpu=1");
        // It depends on a job that ends after the step.
        let mut dependent = job("noop", "scan=1");
        dependent.spec.depends_on = vec![ready.id];
        // Its retry waits for the end of a back-off.
        let mut failing = job("false", "scan=1");
        failing.spec.retries = 1;
        let backoff = || BACKOFF.parse().unwrap();
        failing.spec.backoff = Some(Backoff { base: backoff(), max: backoff() });
        env.store().submit(&[ready, dependent, failing.clone()]).await.unwrap();
        until_status(env, failing.id, Status::Error).await;
    })
    .await;
}
