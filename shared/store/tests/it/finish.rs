//! finish: every outcome, the follow-ups, and what it refuses.

use domain::job::{Backoff, FencingToken, JobId, Outcome, Status};
use serde_json::json;
use store::{Finish, FinishAnswer};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claim, claimed, dump, end, failed, finish, status, submit, worker};

#[tokio::test]
async fn a_run_that_succeeded_is_done_with_its_result() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &worker, id).await;
    let outcome = Outcome::Done(Some(json!({"answer": 42})));
    assert_eq!(
        finish(&env, &end(id, run.token, outcome)).await,
        FinishAnswer::Recorded(Status::Done)
    );
    let read = env.store().job(id).await.unwrap().unwrap();
    assert_eq!(read.result, Some(json!({"answer": 42})));
    assert!(read.finished_at.is_some() && read.follow_up.is_none());
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn an_end_that_is_reported_twice_is_recorded_once() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut retried = job("noop", "scan=1");
    retried.spec.retries = 3;
    let id = submit(&env, &retried).await;
    let run = claimed(&env, &worker, id).await;
    let ended = end(id, run.token, failed());
    assert_eq!(finish(&env, &ended).await, FinishAnswer::Recorded(Status::Error));
    let before = dump(&env).await;
    assert_eq!(finish(&env, &ended).await, FinishAnswer::Already(Status::Error));
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_failed_run_with_retries_left_is_followed_by_a_new_job_after_a_back_off() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut retried = job("noop", "scan=1");
    retried.spec.retries = 1;
    let id = submit(&env, &retried).await;
    let run = claimed(&env, &worker, id).await;
    let ended = end(id, run.token, failed());
    finish(&env, &ended).await;
    let failed_job = env.store().job(id).await.unwrap().unwrap();
    assert_eq!(failed_job.follow_up, Some(ended.follow_up));
    assert_eq!(failed_job.exception.unwrap().kind, "Test");
    let follow_up = env.store().job(ended.follow_up).await.unwrap().unwrap();
    assert_eq!((follow_up.status, follow_up.retry_from), (Status::Waiting, id));
    assert_eq!((follow_up.retries_left, follow_up.attempt), (0, 2));
    assert_eq!(follow_up.spec, retried.spec);
    let back_off = follow_up.scheduled_at.ms() - failed_job.finished_at.unwrap().ms();
    assert_eq!(back_off, 1_000, "the full back-off, because the jitter is 1");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_job_of_a_worker_that_shuts_down_is_carried_on_at_once() {
    let env = TestEnv::new().await;
    let (first, second) = (worker(&env).await, worker(&env).await);
    let id = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &first, id).await;
    let ended = end(id, run.token, Outcome::Shutdown);
    assert_eq!(finish(&env, &ended).await, FinishAnswer::Recorded(Status::WorkerShutdown));
    let again = claimed(&env, &second, ended.follow_up).await;
    assert_eq!(again.attempt, 2);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_stale_token_changes_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    let before = dump(&env).await;
    assert_eq!(finish(&env, &end(id, FencingToken(7), failed())).await, FinishAnswer::Stale);
    assert_eq!(dump(&env).await, before, "the job was never claimed");
    let run = claimed(&env, &worker, id).await;
    let before = dump(&env).await;
    let stale = FencingToken(run.token.0 - 1);
    assert_eq!(finish(&env, &end(id, stale, failed())).await, FinishAnswer::Stale);
    assert_eq!(finish(&env, &end(JobId::random(), run.token, failed())).await, FinishAnswer::Gone);
    let refused = end(id, run.token, Outcome::Resurrected);
    assert_eq!(
        finish(&env, &refused).await,
        FinishAnswer::Refused(Status::Running),
        "its claim is not lost"
    );
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn several_ends_in_one_call_are_recorded_independently() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = [submit(&env, &job("noop", "")).await, submit(&env, &job("noop", "")).await];
    let runs = [claimed(&env, &worker, ids[0]).await, claimed(&env, &worker, ids[1]).await];
    let ends: Vec<Finish> = vec![
        end(ids[0], runs[0].token, Outcome::Done(None)),
        end(JobId::random(), FencingToken(1), failed()),
        end(ids[1], runs[1].token, failed()),
    ];
    let answers = env.store().finish(&ends).await.unwrap();
    assert_eq!(
        answers,
        [
            FinishAnswer::Recorded(Status::Done),
            FinishAnswer::Gone,
            FinishAnswer::Recorded(Status::Error)
        ]
    );
    assert_eq!(status(&env, ids[1]).await, Status::Error);
    let claim_of_done = claim(&env, &worker, ids[0]).await;
    assert_eq!(claim_of_done, store::ClaimAnswer::Refused(Status::Done));
    env.close().await;
}

/// The back-off of the follow-up after the `attempt`-th failure.
async fn back_off_ms(env: &TestEnv, backoff: &Backoff, attempt: u32, jitter: f64) -> i64 {
    let worker = worker(env).await;
    let mut one = job("noop", "scan=1");
    (one.spec.retries, one.spec.backoff) = (10, Some(backoff.clone()));
    let mut id = submit(env, &one).await;
    for _ in 1..attempt {
        let run = claimed(env, &worker, id).await;
        let ended = end(id, run.token, failed());
        finish(env, &ended).await;
        id = ended.follow_up;
        let due = async || env.store().due().await.unwrap().next.is_none();
        env.eventually("the retry is due", due).await;
    }
    // An attempt that ended because its worker shut down does not count.
    let run = claimed(env, &worker, id).await;
    let ended = end(id, run.token, Outcome::Shutdown);
    finish(env, &ended).await;
    id = ended.follow_up;
    let run = claimed(env, &worker, id).await;
    assert_eq!(run.attempt, attempt + 1);
    let last = Finish { jitter, ..end(id, run.token, failed()) };
    finish(env, &last).await;
    let ended = env.store().job(id).await.unwrap().unwrap();
    let next = env.store().job(last.follow_up).await.unwrap().unwrap();
    env.store().cancel(&[next.id], &Default::default()).await.unwrap();
    next.scheduled_at.ms() - ended.finished_at.unwrap().ms()
}

#[tokio::test]
async fn the_back_off_doubles_with_each_failure_from_the_jobs_base_to_its_maximum() {
    let env = TestEnv::new().await;
    for (base, max, jitter, waits_ms) in [
        ("20ms", "60ms", 1.0, &[20, 40, 60, 60][..]),
        ("20ms", "60ms", 0.0, &[10, 20, 30, 30]),
        ("1h", "3h", 0.0, &[1_800_000]),
        ("", "3s", 1.0, &[1_000]),
        ("1h", "20ms", 1.0, &[20; 4]),
        ("2h", "", 0.5, &[225_000]),
    ] {
        let backoff = Backoff { base: base.parse().unwrap(), max: max.parse().unwrap() };
        for (attempt, wait_ms) in (1..).zip(waits_ms.iter().copied()) {
            let waits = back_off_ms(&env, &backoff, attempt, jitter).await;
            assert_eq!(waits, wait_ms, "attempt {attempt} of {backoff:?}");
        }
    }
    assert_consistent(env.store()).await;
    env.close().await;
}
