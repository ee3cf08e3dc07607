//! Jobs of lost workers: those that must not run twice, those that were asked to stop, and those
//! whose worker comes back.

use domain::job::{Cancellation, Exception, FencingToken, JobId, OnWorkerLost, Outcome, Status};
use store::{AppendAnswer, FinishAnswer, Submission};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, finish, lose, status, submit, worker};

#[tokio::test]
async fn a_job_that_must_not_run_twice_ends_with_its_worker_and_frees_its_unique_key() {
    let env = TestEnv::new().await;
    let lost = worker(&env).await;
    let mut one = job("noop", "scan=1");
    one.spec.on_worker_lost = OnWorkerLost::Fail;
    one.spec.unique_key = Some("one".into());
    one.spec.retries = 5;
    let id = submit(&env, &one).await;
    claimed(&env, &lost, id).await;
    lose(&env, &lost).await;
    let read = env.store().job(id).await.unwrap().unwrap();
    assert_eq!((read.status, read.follow_up), (Status::WorkerDead, None));
    assert_eq!(read.exception.map(|exception| exception.kind), Some("WorkerDead".to_owned()));
    one.id = JobId::random();
    let next = env.store().submit(std::slice::from_ref(&one)).await.unwrap();
    assert_eq!(next[0].outcome, Submission::Created);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_was_asked_to_stop_is_cancelled_when_its_worker_dies() {
    let env = TestEnv::new().await;
    let lost = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &lost, id).await;
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    lose(&env, &lost).await;
    let read = env.store().job(id).await.unwrap().unwrap();
    assert_eq!((read.status, read.follow_up), (Status::Cancel, None));
    let before = dump(&env).await;
    let back = finish(&env, &end(id, run.token, Outcome::Resurrected)).await;
    assert_eq!(back, FinishAnswer::Already(Status::Cancel));
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_worker_that_comes_back_reports_that_it_has_stopped_its_lost_jobs() {
    let env = TestEnv::new().await;
    let lost = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &lost, id).await;
    let back = end(id, run.token, Outcome::Resurrected);
    let before = dump(&env).await;
    assert_eq!(
        finish(&env, &back).await,
        FinishAnswer::Refused(Status::Running),
        "its worker is not dead"
    );
    assert_eq!(dump(&env).await, before);
    lose(&env, &lost).await;
    let before = dump(&env).await;
    let stale = end(id, FencingToken(run.token.0 + 1), Outcome::Resurrected);
    assert_eq!(finish(&env, &stale).await, FinishAnswer::Stale);
    let late = end(id, run.token, Outcome::Error(Exception::new("Late", "too late")));
    assert_eq!(finish(&env, &late).await, FinishAnswer::Already(Status::WorkerDead));
    let progress = env.store().progress(id, run.token, &1.into()).await.unwrap();
    assert_eq!(progress, AppendAnswer::Stale);
    assert_eq!(dump(&env).await, before);
    assert_eq!(finish(&env, &back).await, FinishAnswer::Recorded(Status::WorkerResurrection));
    let follow_up = env.store().job(id).await.unwrap().unwrap().follow_up.unwrap();
    assert_eq!(status(&env, follow_up).await, Status::Waiting, "the follow-up waits");
    let before = dump(&env).await;
    assert_eq!(finish(&env, &back).await, FinishAnswer::Already(Status::WorkerResurrection));
    assert_eq!(dump(&env).await, before);
    assert_consistent(env.store()).await;
    env.close().await;
}
