//! Signals: jobs that wait for one after their run, and what is sent to them before, in time, and
//! too late.

use domain::access_tokens::Role;
use domain::job::{Cancellation, Job, JobId, Outcome, Status};
use domain::signal::{MAX_KEPT_SIGNALS, Signal, SignalWait};
use serde_json::json;
use store::{ExpiredWaiting, NewSignal, RetryAnswer, SignalAnswer, SignalTo, WaitPosition};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, failed, finish, lose, signal, submit, waits_for, worker};

async fn read(env: &TestEnv, id: JobId) -> Job {
    env.store().job(id).await.unwrap().unwrap()
}

async fn send(env: &TestEnv, id: JobId, name: &str) -> SignalAnswer {
    env.store().signal(SignalTo::Chain(id), &signal(name)).await.unwrap()
}

/// The signal that a job was continued by, as the API reads it. A worker reads the same body.
async fn received(env: &TestEnv, id: JobId) -> Option<Signal> {
    let shown = env.store().signal_of(&read(env, id).await).await.unwrap();
    let (_, body) = env.store().resume_state(id).await.unwrap();
    let body = body.map(|body| serde_json::from_str(&body).unwrap());
    assert_eq!(body, shown.as_ref().map(|signal| signal.body.clone()));
    shown
}

/// Runs a job until it waits for a signal. Returns the job and its follow-up.
async fn waiting(env: &TestEnv, outcome: Outcome) -> (JobId, JobId) {
    let worker = worker(env).await;
    let id = submit(env, &job("noop", "")).await;
    let run = claimed(env, &worker, id).await;
    let ended = end(id, run.token, outcome);
    finish(env, &ended).await;
    (id, ended.follow_up)
}

#[tokio::test]
async fn the_first_signal_continues_the_job_in_a_follow_up_that_reads_it() {
    let env = TestEnv::new().await;
    let (id, next) = waiting(&env, waits_for("approved", "")).await;
    let job = read(&env, id).await;
    assert_eq!(job.status, Status::Waiting);
    assert_eq!(env.store().wait_position(&job).await.unwrap(), WaitPosition::Signal);
    assert_consistent(env.store()).await;

    assert_eq!(send(&env, id, "approved").await, SignalAnswer::Continued(next));
    let before = dump(&env).await;
    for of in [id, next] {
        let again = send(&env, of, "approved").await;
        assert!(matches!(again, SignalAnswer::Already(_)), "{again:?}");
    }
    assert_eq!(dump(&env).await, before);
    let job = read(&env, id).await;
    assert_eq!((job.status, job.follow_up), (Status::Done, Some(next)));
    let signal = received(&env, next).await.unwrap();
    assert_eq!((signal.by.as_str(), signal.body), ("ann", json!({"ok": true})));
    assert!(!signal.timed_out);
    let next = read(&env, next).await;
    assert_eq!((next.attempt, next.retry_from, next.status), (2, id, Status::Waiting));
    assert_eq!(next.retries_left, job.retries_left, "no retry is spent");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_signal_that_is_sent_before_is_kept_and_continues_the_job_at_once() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "")).await;
    assert_eq!(send(&env, id, "approved").await, SignalAnswer::Kept(id));
    let again = send(&env, id, "approved").await;
    assert!(matches!(again, SignalAnswer::Already(_)), "{again:?}");
    let run = claimed(&env, &worker, id).await;
    assert_eq!(send(&env, id, "other").await, SignalAnswer::Kept(id));
    // Its worker is lost, and its follow-up has them.
    lose(&env, &worker).await;
    let second = read(&env, id).await.follow_up.unwrap();
    let worker = crate::calls::worker(&env).await;
    let token = claimed(&env, &worker, second).await.token;
    assert_ne!(token, run.token);
    assert_consistent(env.store()).await;
    let ended = end(second, token, waits_for("approved", "1h"));
    finish(&env, &ended).await;
    assert_eq!(read(&env, second).await.status, Status::Done);
    assert_eq!(received(&env, ended.follow_up).await.unwrap().name.as_str(), "approved");
    assert_consistent(env.store()).await;
    // The other is still there, and a further wait for it is over at once, too.
    let token = claimed(&env, &worker, ended.follow_up).await.token;
    let third = end(ended.follow_up, token, waits_for("other", ""));
    finish(&env, &third).await;
    assert_eq!(received(&env, third.follow_up).await.unwrap().name.as_str(), "other");
    assert_eq!(received(&env, ended.follow_up).await, None, "it was for earlier runs");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn every_run_until_the_next_wait_reads_the_signal() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut new = job("noop", "");
    new.spec.retries = 1;
    let id = submit(&env, &new).await;
    let run = claimed(&env, &worker, id).await;
    finish(&env, &end(id, run.token, waits_for("approved", ""))).await;
    send(&env, id, "approved").await;
    let second = read(&env, id).await.follow_up.unwrap();
    // It is given up at a shutdown, then fails with its retry, then is retried by hand.
    let run = claimed(&env, &worker, second).await;
    let ended = end(second, run.token, Outcome::Shutdown);
    finish(&env, &ended).await;
    let run = claimed(&env, &worker, ended.follow_up).await;
    let ended = end(ended.follow_up, run.token, failed());
    finish(&env, &ended).await;
    assert_eq!(received(&env, ended.follow_up).await.unwrap().name.as_str(), "approved");
    assert_eq!(received(&env, second).await, None, "the newest record has it");
    let again = send(&env, id, "approved").await;
    assert!(matches!(again, SignalAnswer::Already(_)), "{again:?}");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_may_wait_for_one_signal_after_the_other_also_of_the_same_name() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (mut id, mut next) = waiting(&env, waits_for("approved", "")).await;
    for _ in 0..3 {
        assert_eq!(send(&env, id, "approved").await, SignalAnswer::Continued(next));
        let token = claimed(&env, &worker, next).await.token;
        let ended = end(next, token, waits_for("approved", ""));
        finish(&env, &ended).await;
        (id, next) = (next, ended.follow_up);
        assert_eq!(read(&env, id).await.status, Status::Waiting, "it waits for a new signal");
        assert_consistent(env.store()).await;
    }
    env.close().await;
}

#[tokio::test]
async fn a_signal_that_is_not_sent_in_time_continues_the_job_as_timed_out() {
    let env = TestEnv::new().await;
    let (id, next) = waiting(&env, waits_for("approved", "1ms")).await;
    let over = async || {
        let ended = env.store().expire_waiting().await.unwrap();
        ended == ExpiredWaiting { expired: 0, timed_out: 1 }
    };
    env.eventually("the time is over", over).await;
    let signal = received(&env, next).await.unwrap();
    assert_eq!((signal.timed_out, signal.body), (true, json!({"timedOut": true})));
    assert_eq!(read(&env, id).await.status, Status::Done);
    let late = send(&env, id, "approved").await;
    assert!(matches!(late, SignalAnswer::Already(_)), "{late:?}");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_wait_may_ask_for_an_admin() {
    let env = TestEnv::new().await;
    let of_admin = |name: &str| {
        let Outcome::Wait(result, wait) = waits_for(name, "") else { unreachable!() };
        Outcome::Wait(result, SignalWait { roles: vec![Role::Admin], ..wait })
    };
    let (id, next) = waiting(&env, of_admin("approved")).await;
    let before = dump(&env).await;
    assert_eq!(send(&env, id, "approved").await, SignalAnswer::Forbidden(Role::Admin));
    assert_eq!(dump(&env).await, before);
    let admin = NewSignal { role: Role::Admin, ..signal("approved") };
    let answer = env.store().signal(SignalTo::Chain(id), &admin).await.unwrap();
    assert_eq!(answer, SignalAnswer::Continued(next));
    // One that an operator sent before does not count.
    let worker = worker(&env).await;
    assert_eq!(send(&env, id, "again").await, SignalAnswer::Kept(next));
    let token = claimed(&env, &worker, next).await.token;
    finish(&env, &end(next, token, of_admin("again"))).await;
    assert_eq!(read(&env, next).await.status, Status::Waiting);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn at_most_sixteen_signals_are_kept() {
    let env = TestEnv::new().await;
    let id = submit(&env, &job("noop", "")).await;
    for index in 0..MAX_KEPT_SIGNALS {
        assert_eq!(send(&env, id, &format!("s{index}")).await, SignalAnswer::Kept(id));
    }
    let before = dump(&env).await;
    assert_eq!(send(&env, id, "more").await, SignalAnswer::Full);
    assert_eq!(dump(&env).await, before);
    assert_eq!(send(&env, JobId::random(), "more").await, SignalAnswer::Gone);
    env.store().delete(id).await.unwrap();
    assert_eq!(send(&env, id, "more").await, SignalAnswer::Over(Status::Deleted));
    let keys = dump(&env).await.into_keys().filter(|key| key.starts_with("signal"));
    assert_eq!(keys.collect::<Vec<_>>(), [""; 0], "they are removed with the job");
    env.close().await;
}

#[tokio::test]
async fn a_job_that_waits_for_a_signal_can_be_cancelled_and_retried() {
    let env = TestEnv::new().await;
    let (id, next) = waiting(&env, waits_for("approved", "1h")).await;
    env.store().cancel(&[id], &Cancellation::default()).await.unwrap();
    assert_eq!(send(&env, id, "approved").await, SignalAnswer::Over(Status::Cancel));
    assert_consistent(env.store()).await;
    assert_eq!(env.store().retry(id, JobId::random()).await.unwrap(), RetryAnswer::Created);
    assert!(env.store().job(next).await.unwrap().is_none());
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn dependents_and_the_parent_wait_for_the_run_after_the_signal() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let parent = submit(&env, &job("noop", "")).await;
    let parent_run = claimed(&env, &worker, parent).await;
    let mut child = job("noop", "");
    child.spec.parent = Some(parent);
    let child = submit(&env, &child).await;
    let mut dependent = job("noop", "");
    dependent.spec.depends_on = vec![child];
    let dependent = submit(&env, &dependent).await;
    finish(&env, &end(parent, parent_run.token, Outcome::Await(None))).await;
    let run = claimed(&env, &worker, child).await;
    let ended = end(child, run.token, waits_for("approved", ""));
    finish(&env, &ended).await;
    send(&env, child, "approved").await;
    let statuses = async || {
        while env.store().propagate().await.unwrap() != (0, 0) {}
        let dependent = read(&env, dependent).await;
        (dependent.awaits_dependencies, read(&env, parent).await.status)
    };
    assert_eq!(statuses().await, (true, Status::Waiting));
    let run = claimed(&env, &worker, ended.follow_up).await;
    finish(&env, &end(ended.follow_up, run.token, Outcome::Done(None))).await;
    assert_eq!(statuses().await, (false, Status::Done));
    assert_consistent(env.store()).await;
    // A run that was asked to stop does not wait.
    let stopped = submit(&env, &job("noop", "")).await;
    let run = claimed(&env, &worker, stopped).await;
    env.store().cancel(&[stopped], &Cancellation::default()).await.unwrap();
    finish(&env, &end(stopped, run.token, waits_for("approved", ""))).await;
    assert_eq!(read(&env, stopped).await.status, Status::Cancel);
    env.close().await;
}
