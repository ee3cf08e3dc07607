//! Idempotency: unique keys, and calls that are repeated because an answer was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::job::{Backoff, Cancellation, JobId, NewJob, Outcome, Timestamp};
use serde_json::json;
use store::{
    ClaimRequest, Dumped, LeaseExpiry, LogSource, NewLogLine, Outbox, Settings, StoreError,
    Submission, Submitted, Sweep, WorkerCommand,
};
use testkit::{TestEnv, assert_consistent, job, jobs};
use uuid::Uuid;

use crate::calls::{claimed, dump, end, failed, finish, heartbeat, ids_of, submit, worker};

type World = BTreeMap<String, Dumped>;

/// Submits another job with this unique key.
async fn another(env: &TestEnv, key: &str) -> Submitted {
    let mut one = job("noop", "scan=1");
    one.spec.unique_key = Some(key.to_owned());
    env.store().submit(&[one]).await.unwrap().remove(0)
}

#[tokio::test]
async fn no_other_job_is_created_while_one_with_its_unique_key_is_not_over() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let first = another(&env, "one").await;
    assert_eq!(first.outcome, Submission::Created);
    let before = dump(&env).await;
    let duplicate = another(&env, "one").await;
    assert_eq!((duplicate.outcome, duplicate.id), (Submission::Taken, first.id));
    assert_eq!(duplicate.number, first.number);
    assert_eq!(dump(&env).await, before);
    assert_eq!(another(&env, "two").await.outcome, Submission::Created, "another key");
    let run = claimed(&env, &worker, first.id).await;
    assert_eq!(another(&env, "one").await.outcome, Submission::Taken, "it runs");
    finish(&env, &end(first.id, run.token, Outcome::Done(None))).await;
    let next = another(&env, "one").await;
    assert_eq!(next.outcome, Submission::Created, "it is over");
    env.store().cancel(&[next.id], &Cancellation::default()).await.unwrap();
    let next = another(&env, "one").await;
    assert_eq!(next.outcome, Submission::Created, "it is cancelled");
    env.store().delete(next.id).await.unwrap();
    assert_eq!(another(&env, "one").await.outcome, Submission::Created, "it is deleted");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_follow_up_inherits_the_unique_key() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let first = another(&env, "one").await;
    let run = claimed(&env, &worker, first.id).await;
    let ended = end(first.id, run.token, Outcome::Shutdown);
    finish(&env, &ended).await;
    let duplicate = another(&env, "one").await;
    assert_eq!((duplicate.outcome, duplicate.id), (Submission::Taken, ended.follow_up));
    assert_consistent(env.store()).await;
    env.close().await;
}

/// Makes a call twice; the second must change no key but those named.
macro_rules! again {
    ($env:expr, $call:expr $(, but $key:literal)?) => {{
        $call.await.unwrap();
        let before = dump($env).await;
        $call.await.unwrap();
        let changes: &[&str] = &[$($key)?];
        let changed = changed(&before, &dump($env).await);
        assert_eq!(changed, changes, "{}", stringify!($call));
    }};
}

/// The keys whose values differ.
fn changed(before: &World, after: &World) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

#[tokio::test]
async fn a_repeated_call_changes_nothing_more() {
    let env = TestEnv::new().await;
    let (store, worker) = (env.store(), worker(&env).await);
    let (mut first, second, third) = (job("noop", ""), job("noop", ""), job("noop", ""));
    (first.spec.retries, first.reserve_id) = (1, true);
    let (base, max) = ("1h".parse().unwrap(), "".parse().unwrap());
    first.spec.backoff = Some(Backoff { base, max });
    let batch = [first.clone(), second.clone(), third.clone()];
    again!(&env, store.submit(&batch));
    let many = jobs(150, "noop", "scan=1");
    let name = Uuid::new_v4();
    again!(&env, store.submit_batch(name, &many));

    let ids = vec![first.id, second.id, third.id];
    again!(&env, store.claim(&worker, &[ClaimRequest { max: 3, ids: ids.clone() }]));
    let mut tokens = Vec::new();
    for id in ids {
        tokens.push(claimed(&env, &worker, id).await.token);
    }
    let lines = ["a", "b"].map(|text| NewLogLine::now(LogSource::Stdout, text));
    again!(&env, store.append_log(first.id, tokens[0], 0, &lines));
    again!(&env, store.progress(first.id, tokens[0], &json!(1)), but "events");
    let ends = [end(first.id, tokens[0], failed()), end(second.id, tokens[1], Outcome::Done(None))];
    again!(&env, store.finish(&ends));
    let new = JobId::random();
    again!(&env, store.retry(second.id, new));
    again!(&env, store.cancel(&[third.id, new], &Cancellation::default()));
    again!(&env, store.delete(new));
    again!(&env, store.delete(third.id));
    again!(&env, store.command_worker(&worker, &WorkerCommand::Drain), but "events");

    let mut late = job("noop", "");
    late.spec.expires_at = Some(Timestamp::from_ms(1_000));
    submit(&env, &late).await;
    again!(&env, store.expire_waiting());
    again!(&env, store.due());
    let age = "1h".parse().unwrap();
    let settings =
        Settings { job_history_to_keep: 1, job_history_max_age: age, ..Settings::default() };
    again!(&env, store.trim(&settings, &mut Sweep::default()));
    store.heartbeat(&heartbeat(&worker, Duration::from_millis(1))).await.unwrap();
    let ended = async || store.expire_lease(&worker).await.unwrap() != LeaseExpiry::Alive;
    env.eventually("the lease ends", ended).await;
    again!(&env, store.expire_lease(&worker));
    let left = crate::calls::worker(&env).await;
    again!(&env, store.leave(&left));
    again!(&env, store.heartbeat(&heartbeat(&left, Duration::from_secs(60))));

    let mut outbox = Outbox::new(store.clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    let published = outbox.read_new(1_000, Duration::from_millis(1)).await.unwrap();
    again!(&env, outbox.remove(&ids_of(&published)));
    assert_consistent(store).await;
    env.close().await;
}

/// A job whose id is derived from an idempotency key of this request.
fn keyed(id: JobId, request: u128) -> NewJob {
    let request_hash = Some(Uuid::from_u128(request));
    NewJob { id, reserve_id: true, request_hash, ..job("noop", "") }
}

#[tokio::test]
async fn an_id_of_an_idempotency_key_stands_for_one_request() {
    let env = TestEnv::new().await;
    let (store, id) = (env.store(), JobId::random());
    let refused = async |jobs: &[NewJob]| {
        let before = dump(&env).await;
        let answer = store.submit(jobs).await;
        assert!(
            matches!(answer, Err(StoreError::OtherRequest(other)) if other == id),
            "{answer:?}"
        );
        assert_eq!(dump(&env).await, before);
    };
    // Two requests at the same time may be submitted in one call.
    let first = JobId::random();
    let both = store.submit(&[keyed(first, 1), keyed(first, 2)]).await;
    assert!(matches!(both, Err(StoreError::OtherRequest(other)) if other == first), "{both:?}");

    submit(&env, &keyed(id, 1)).await;
    let again = store.submit(&[keyed(id, 1)]).await.unwrap();
    assert_eq!((again[0].outcome, again[0].id), (Submission::Known, id));
    refused(&[job("noop", ""), keyed(id, 2)]).await;
    store.cancel(&[id], &Cancellation::default()).await.unwrap();
    store.delete(id).await.unwrap();
    refused(&[keyed(id, 2)]).await;
    // Large batches are checked when they are kept.
    let mut many = jobs(150, "noop", "");
    many[0] = keyed(id, 2);
    let before = dump(&env).await;
    let answer = store.submit_batch(Uuid::new_v4(), &many).await;
    assert!(matches!(answer, Err(StoreError::OtherRequest(other)) if other == id), "{answer:?}");
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_large_batch_stands_for_its_request_from_the_moment_it_is_kept() {
    let env = TestEnv::new().await;
    let (store, id, batch) = (env.store(), JobId::random(), Uuid::new_v4());
    let mut many = jobs(150, "noop", "scan=1");
    many[0] = keyed(id, 1);
    assert_eq!(store.submit_batch(batch, &many).await.unwrap().len(), 150);
    let again = store.submit_batch(batch, &many).await.unwrap();
    assert!(again.iter().all(|one| one.outcome == Submission::Known), "{again:?}");
    many[0] = keyed(id, 2);
    let answer = store.submit_batch(batch, &many).await;
    assert!(matches!(answer, Err(StoreError::OtherRequest(other)) if other == id), "{answer:?}");
    assert_consistent(store).await;
    env.close().await;
}
