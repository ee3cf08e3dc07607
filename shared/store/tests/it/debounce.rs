//! Debounced submissions: one job that is put off and replaced, until it is due.

use domain::job::{JobId, NewJob, Outcome, Priority};
use serde_json::json;
use store::{JobChange, Submission, Submitted};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, finish, submit, worker};

/// A submission that is debounced for an hour, with a parameter.
fn debounced(n: u32, max: &str) -> NewJob {
    let mut new = job("noop", "scan=1");
    new.spec.unique_key = Some("one".to_owned());
    (new.spec.debounce, new.spec.debounce_max) = ("1h".parse().unwrap(), max.parse().unwrap());
    new.spec.parameters = json!({"n": n}).as_object().cloned();
    new
}

async fn submitted(env: &TestEnv, new: &NewJob) -> Submitted {
    env.store().submit(std::slice::from_ref(new)).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_repeat_replaces_what_was_submitted_and_puts_it_off_until_the_maximum() {
    let env = TestEnv::new().await;
    let mut first = debounced(1, "90m");
    first.spec.locks = "a".parse().unwrap();
    first.spec.retries = 3;
    first.spec.priority = Priority::High;
    let created = submitted(&env, &first).await;
    assert_eq!(created.outcome, Submission::Created);
    let ms = created.scheduled_at.ms() - created.created_at.ms();
    assert_eq!(ms, 3_600_000);

    let mut second = debounced(2, "");
    second.spec.comment = Some("newer".to_owned());
    let replaced = submitted(&env, &second).await;
    assert_eq!((replaced.outcome, replaced.id), (Submission::Replaced, first.id));
    assert!(replaced.scheduled_at >= created.scheduled_at);
    let read = env.store().job(first.id).await.unwrap().unwrap();
    assert_eq!((&read.spec, read.replaced, read.number), (&second.spec, 1, created.number));
    assert_eq!((read.retries_left, read.scheduled_at), (0, replaced.scheduled_at));
    assert_consistent(env.store()).await;

    let mut last = debounced(3, "90m");
    last.spec.debounce = "90m".parse().unwrap();
    let replaced = submitted(&env, &last).await;
    let ms = replaced.scheduled_at.ms() - created.created_at.ms();
    assert_eq!(ms, 5_400_000, "the maximum is counted from the first submission");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_repeated_call_of_a_debounced_submission_changes_nothing() {
    let env = TestEnv::new().await;
    let first = debounced(1, "");
    submitted(&env, &first).await;
    let mut second = debounced(2, "");
    let answer = submitted(&env, &second).await;
    let before = dump(&env).await;
    assert_eq!(submitted(&env, &second).await, answer);
    assert_eq!(dump(&env).await, before);
    assert_eq!(submitted(&env, &first).await.outcome, Submission::Known);
    assert_eq!(dump(&env).await, before);
    // The same with an id that stands for an idempotency key.
    (second.id, second.reserve_id) = (JobId::random(), true);
    assert_eq!(submitted(&env, &second).await.outcome, Submission::Replaced);
    submitted(&env, &debounced(3, "")).await;
    let before = dump(&env).await;
    assert_eq!(submitted(&env, &second).await.id, first.id);
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_job_that_is_due_or_of_another_action_or_owner_is_not_replaced() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let first = debounced(1, "");
    submitted(&env, &first).await;
    let untouched = async |new: NewJob| {
        let before = dump(&env).await;
        let answer = submitted(&env, &new).await;
        assert_eq!((answer.outcome, answer.id), (Submission::Taken, first.id));
        assert_eq!(dump(&env).await, before);
    };
    let mut other = debounced(2, "");
    other.spec.action = "sleep".parse().unwrap();
    untouched(other).await;
    let mut other = debounced(2, "");
    other.spec.scheduled_by = Some("anna".to_owned());
    untouched(other).await;
    let mut other = debounced(2, "");
    other.spec.debounce = domain::job::GoDuration::default();
    untouched(other).await;

    let now = Some(env.store().now().await.unwrap());
    let change = JobChange { scheduled_at: now, ..JobChange::default() };
    env.store().change(first.id, change).await.unwrap();
    untouched(debounced(2, "")).await;
    let run = claimed(&env, &worker, first.id).await;
    untouched(debounced(2, "")).await;
    // Its follow-up keeps the key and is not put off.
    let ended = end(first.id, run.token, Outcome::Shutdown);
    finish(&env, &ended).await;
    let answer = submitted(&env, &debounced(2, "")).await;
    assert_eq!((answer.outcome, answer.id), (Submission::Taken, ended.follow_up));
    let run = claimed(&env, &worker, ended.follow_up).await;
    finish(&env, &end(ended.follow_up, run.token, Outcome::Done(None))).await;
    assert_eq!(submitted(&env, &debounced(2, "")).await.outcome, Submission::Created);
    env.close().await;
}

#[tokio::test]
async fn a_job_of_a_later_time_that_is_not_debounced_is_not_replaced() {
    let env = TestEnv::new().await;
    let mut first = debounced(1, "");
    first.spec.debounce = domain::job::GoDuration::default();
    let later = env.store().now().await.unwrap().ms() + 3_600_000;
    first.scheduled_at = Some(domain::job::Timestamp::from_ms(later));
    let id = submit(&env, &first).await;
    let answer = submitted(&env, &debounced(2, "")).await;
    assert_eq!((answer.outcome, answer.id), (Submission::Taken, id));
    env.close().await;
}
