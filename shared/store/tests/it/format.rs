//! The format of the keys: which stores a build accepts, and that it keeps what only a later build
//! knows. Numbers and tokens after a failover.

use std::collections::BTreeMap;

use domain::job::{Cancellation, JobId, Outcome, Priority, Status};
use store::{ChangeAnswer, Dumped, JobChange, RetryAnswer, Store, StoreConfig, StoreError};
use testkit::{PrivateRedis, TestEnv, job, jobs};
use tokio_util::sync::CancellationToken;

use crate::calls::{claimed, dump, end, failed, finish, lose, redis_cli, submit, worker};

/// Makes a call of Redis about a key of the namespace.
async fn redis(config: &StoreConfig, command: &str, key: &str, rest: &[&str]) -> String {
    let key = format!("{{{}}}:{key}", config.namespace);
    let rest = rest.iter().map(|word| (*word).to_owned());
    redis_cli(&config.redis_url, [command.to_owned(), key].into_iter().chain(rest)).await
}

/// Opens the namespace as a process does that starts now.
async fn open(env: &TestEnv) -> Result<bool, StoreError> {
    let store = Store::new(env.store_config()).unwrap();
    store.wait_until_ready(&CancellationToken::new()).await
}

#[tokio::test]
async fn a_namespace_without_a_format_is_opened_when_no_job_of_an_earlier_build_is_left() {
    let env = TestEnv::new().await;
    assert!(open(&env).await.unwrap());
    assert_eq!(redis(env.store_config(), "hget", "store", &["format"]).await.trim(), "1");
    let waiting = submit(&env, &job("noop", "scan=1")).await;
    redis(env.store_config(), "del", "store", &[]).await;
    let refused = open(&env).await.unwrap_err();
    assert!(matches!(refused, StoreError::OtherFormat { found: 0, needed: 1 }), "{refused}");
    env.store().cancel(&[waiting], &Cancellation::default()).await.unwrap();
    assert!(open(&env).await.unwrap(), "its jobs have ended");
    assert_eq!(redis(env.store_config(), "hget", "store", &["format"]).await.trim(), "1");
    env.close().await;
}

#[tokio::test]
async fn a_namespace_of_another_format_is_refused_with_what_to_do() {
    let env = TestEnv::new().await;
    redis(env.store_config(), "hset", "store", &["format", "2"]).await;
    let before = env.store().dump().await.unwrap();
    let newer = open(&env).await.unwrap_err().to_string();
    assert_eq!(
        newer,
        "the namespace has format 2, and this build needs format 1: start a newer build, or use \
         another namespace"
    );
    let refused = env.store().submit(&jobs(1, "noop", "scan=1")).await.unwrap_err();
    assert_eq!(refused.to_string(), newer);
    assert_eq!(env.store().dump().await.unwrap(), before);

    redis(env.store_config(), "del", "store", &[]).await;
    redis(env.store_config(), "sadd", "queues", &["scan=1.normal"]).await;
    let earlier = open(&env).await.unwrap_err().to_string();
    assert_eq!(
        earlier,
        "the namespace has format 0 of an earlier build, and this build needs format 1: let its \
         jobs end with the earlier build; if it is refused then, use another namespace"
    );
    env.close().await;
}

/// The record of a job.
async fn record(env: &TestEnv, id: JobId) -> BTreeMap<String, String> {
    match dump(env).await.remove(&format!("job:{id}")) {
        Some(Dumped::Hash(fields)) => fields,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_only_a_later_build_knows_survives_changes_retries_and_follow_ups() {
    let env = TestEnv::new().await;
    let mut first = job("noop", "scan=1");
    first.spec.retries = 1;
    submit(&env, &first).await;
    let key = format!("job:{}", first.id);
    let spec: serde_json::Value =
        serde_json::from_str(&record(&env, first.id).await["spec"]).unwrap();
    let mut spec = spec.as_object().unwrap().clone();
    spec.insert("later".into(), serde_json::json!({"a": [1, 2.5, {}]}));
    let spec = serde_json::Value::Object(spec).to_string();
    redis(env.store_config(), "hset", &key, &["spec", &spec, "laterField", "kept"]).await;
    let check = async |id: JobId| {
        let fields = record(&env, id).await;
        let spec: serde_json::Value = serde_json::from_str(&fields["spec"]).unwrap();
        assert_eq!(spec["later"], serde_json::json!({"a": [1, 2.5, {}]}));
        assert_eq!(fields["laterField"], "kept");
    };

    let urgent = JobChange { priority: Some(Priority::High), scheduled_at: None };
    assert_eq!(env.store().change(first.id, urgent).await.unwrap(), ChangeAnswer::Changed);
    check(first.id).await;
    assert_eq!(env.job(first.id).await.spec.priority, Priority::High);

    let worker = worker(&env).await;
    let run = claimed(&env, &worker, first.id).await;
    finish(&env, &end(first.id, run.token, failed())).await;
    let retried = env.job(first.id).await.follow_up.unwrap();
    check(retried).await;
    let soon = JobChange { priority: None, scheduled_at: Some(env.store().now().await.unwrap()) };
    assert_eq!(env.store().change(retried, soon).await.unwrap(), ChangeAnswer::Changed);

    claimed(&env, &worker, retried).await;
    lose(&env, &worker).await;
    let follow_up = env.job(retried).await.follow_up.unwrap();
    check(follow_up).await;

    let other = crate::calls::worker(&env).await;
    let run = claimed(&env, &other, follow_up).await;
    finish(&env, &end(follow_up, run.token, Outcome::Done(None))).await;
    let by_hand = JobId::random();
    assert_eq!(env.store().retry(follow_up, by_hand).await.unwrap(), RetryAnswer::Created);
    check(by_hand).await;
    let created = env.job(by_hand).await;
    assert_eq!((created.status, created.attempt), (Status::Waiting, 4));
    assert_eq!((created.result, created.worker, created.token), (None, None, None));
    env.close().await;
}

#[tokio::test]
async fn after_redis_has_lost_writes_no_number_and_no_token_is_given_again() {
    let mut redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let worker = worker(&env).await;
    let given = async || {
        let id = submit(&env, &job("noop", "scan=1")).await;
        let run = claimed(&env, &worker, id).await;
        (run.number, run.token.0)
    };
    assert_eq!(given().await, (1, 1), "they are small");
    redis.save();
    let lost = given().await;
    redis.roll_back().await;
    let answers = async || env.store().ping().await.is_ok();
    env.eventually("Redis answers again", answers).await;
    let next = given().await;
    assert!(next.0 > lost.0 && next.1 > lost.1, "{next:?} after {lost:?}");
    let other = Store::new(env.store_config()).unwrap();
    other.submit(&jobs(1, "noop", "scan=1")).await.unwrap();
    assert_eq!(given().await, (next.0 + 2, next.1 + 1), "another process skips nothing more");
    env.close().await;
}
