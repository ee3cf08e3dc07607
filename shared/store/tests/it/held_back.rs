//! Runs that held back a rate limit and failed: their retry is free, but not without end.

use domain::job::{Backoff, Exception, Job, JobId, Outcome, Status};
use store::RetryAnswer;
use testkit::{TestEnv, job};

use crate::calls::{claimed, end, finish, submit, worker};

/// Runs a job that holds back a limit and fails; returns its follow-up.
async fn hold_back(env: &TestEnv, id: JobId) -> Option<Job> {
    let due = async || env.store().due().await.unwrap().next.is_none();
    env.eventually("the retry is due", due).await;
    let worker = worker(env).await;
    let run = claimed(env, &worker, id).await;
    let outcome = Outcome::HeldBack(Exception::new("ExitCode", "exit status 1"));
    finish(env, &end(id, run.token, outcome)).await;
    let ended = env.store().job(id).await.unwrap().unwrap();
    assert_eq!(ended.status, Status::Error);
    env.store().job(ended.follow_up?).await.unwrap()
}

#[tokio::test]
async fn twenty_retries_are_free_and_then_they_are_used_up() {
    let env = TestEnv::new().await;
    let ms = |text: &str| text.parse().unwrap();
    let mut new = job("noop", "");
    new.spec.retries = 1;
    new.spec.backoff = Some(Backoff { base: ms("1ms"), max: ms("2ms") });
    let mut id = submit(&env, &new).await;
    for free in 1..=20 {
        let next = hold_back(&env, id).await.unwrap();
        assert_eq!((next.retries_left, next.held_back), (1, free));
        id = next.id;
    }
    let last = hold_back(&env, id).await.unwrap();
    assert_eq!((last.retries_left, last.held_back), (0, 20));
    assert_eq!(hold_back(&env, last.id).await, None);
    env.close().await;
}

#[tokio::test]
async fn a_job_without_retries_is_retried_after_a_back_off_that_doubles() {
    let env = TestEnv::new().await;
    let (base, max) = ("20ms".parse().unwrap(), Default::default());
    let mut new = job("noop", "");
    new.spec.backoff = Some(Backoff { base, max });
    let mut id = submit(&env, &new).await;
    for delay_ms in [20, 40, 80] {
        let next = hold_back(&env, id).await.unwrap();
        let ended = env.store().job(id).await.unwrap().unwrap();
        assert_eq!(next.scheduled_at.ms() - ended.finished_at.unwrap().ms(), delay_ms);
        id = next.id;
    }
    // A retry by hand begins again.
    env.store().cancel(&[id], &Default::default()).await.unwrap();
    let new = JobId::random();
    assert_eq!(env.store().retry(id, new).await.unwrap(), RetryAnswer::Created);
    assert_eq!(env.store().job(new).await.unwrap().unwrap().held_back, 0);
    env.close().await;
}
