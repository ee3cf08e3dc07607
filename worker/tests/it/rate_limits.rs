//! Rate limits that a run holds back, because the service that it calls requests a pause.

use std::time::Duration;

use domain::job::{JobId, Status};
use domain::limit::RateLimit;
use domain::lock::LockName;
use serde_json::{Value, json};
use testkit::{job, with_parameters};

use crate::env::WorkerEnv;
use crate::test_server::TestServer;

/// A command that asks for a pause.
const CALL: &str = r#"[actions.call]
argv = ["sh", "-c", '''
echo "{\"retryAfter\": \"$after\", \"rate\": \"$rate\"}" > $JOB_PROGRESS
echo "{\"percent\": 50}" > $JOB_PROGRESS
exit $status''']
environment = { after = "{{after}}", rate = "{{rate}}", status = "{{status}}" }"#;

/// A limit that allows many starts.
async fn limited(keys: &[&str]) -> WorkerEnv {
    let env = WorkerEnv::new().await;
    let limit = RateLimit::new(1_000, Duration::from_secs(1), 100).unwrap();
    for key in keys {
        env.store().set_limit(&key.parse().unwrap(), limit).await.unwrap();
    }
    env
}

async fn submit(env: &WorkerEnv, action: &str, parameters: &Value, key: &str) -> JobId {
    let mut new = with_parameters(job(action, ""), parameters);
    new.spec.locks.add(LockName::of_rate(key).unwrap(), 1);
    env.store().submit(std::slice::from_ref(&new)).await.unwrap();
    new.id
}

/// In how many seconds the next job may start, rounded down.
async fn next_start(env: &WorkerEnv, key: &str) -> i64 {
    let limit = env.store().limit(&key.parse().unwrap()).await.unwrap().unwrap();
    (limit.state.unwrap().next_at.ms() - env.store().now().await.unwrap().ms()) / 1_000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_holds_back_a_limit_of_its_job_and_no_other() {
    let env = limited(&["mail", "sms"]).await;
    let worker = env.worker(CALL);
    let call = async |after: &str, rate: &str| {
        let id =
            submit(&env, "call", &json!({"after": after, "rate": rate, "status": 0}), "mail").await;
        let job = env.finished(id).await;
        assert_eq!((job.status, job.progress), (Status::Done, Some(json!({"percent": 50.0}))));
        env.log(id).await
    };
    let ignored = |why: &str| vec![format!("capstan: progress line ignored: {why}")];
    assert_eq!(call("1m", "sms").await, ignored(r#"the job has no rate "sms""#));
    let too_long = "retryAfter must be a duration of at most 24h";
    assert_eq!(call("25h", "mail").await, ignored(too_long));
    assert_eq!(call("0s", "mail").await, ignored(too_long));
    assert!(next_start(&env, "mail").await <= 0);
    assert_eq!(call("10m", "mail").await, Vec::<String>::new());
    assert!((500..=600).contains(&next_start(&env, "mail").await));
    assert!(next_start(&env, "sms").await <= 0);
    // The next job waits until then.
    let parameters = json!({"after": "1s", "rate": "mail", "status": 0});
    let id = submit(&env, "call", &parameters, "mail").await;
    let waits = async || env.store().limit(&"mail".parse().unwrap()).await.unwrap().unwrap();
    let waits = async || waits().await.state.unwrap().waiting == 1;
    env.eventually("the job waits", waits).await;
    assert_eq!(env.store().job(id).await.unwrap().unwrap().status, Status::Waiting);
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_holds_back_a_limit_and_fails_is_retried_for_free() {
    let env = limited(&["mail"]).await;
    let worker = env.worker(CALL);
    for (after, held_back) in [("25h", 0), ("10m", 1)] {
        let parameters = json!({"after": after, "rate": "mail", "status": 1});
        let mut new = with_parameters(job("call", ""), &parameters);
        new.spec.locks.add(LockName::of_rate("mail").unwrap(), 1);
        new.spec.retries = 2;
        env.store().submit(std::slice::from_ref(&new)).await.unwrap();
        let failed = env.finished(new.id).await;
        env.store().cancel(&[failed.follow_up.unwrap()], &Default::default()).await.unwrap();
        let next = env.store().job(failed.follow_up.unwrap()).await.unwrap().unwrap();
        assert_eq!((next.held_back, next.retries_left), (held_back, 1 + held_back), "{after}");
    }
    worker.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_asked_to_wait_holds_back_the_limits_of_its_job() {
    let env = limited(&["mail"]).await;
    let receiver = TestServer::new().await;
    let mut flags = env.flags("");
    flags.push("--webhook-allow=127.0.0.1".to_owned());
    let worker = env.worker_with(&flags);
    let busy = json!({"url": receiver.url("/busy"), "body": 1});
    let mut unlimited = with_parameters(job("webhook", ""), &busy);
    unlimited.spec.retries = 1;
    env.store().submit(std::slice::from_ref(&unlimited)).await.unwrap();
    let refused = env.finished(unlimited.id).await;
    let next = env.store().job(refused.follow_up.unwrap()).await.unwrap().unwrap();
    assert_eq!((next.held_back, next.retries_left), (0, 0), "a job without a rate");
    let id = submit(&env, "webhook", &busy, "mail").await;
    let refused = env.finished(id).await;
    assert_eq!(refused.status, Status::Error);
    let next = env.store().job(refused.follow_up.unwrap()).await.unwrap().unwrap();
    assert_eq!((next.held_back, next.retries_left), (1, 0), "the retry is free");
    assert!((3_000..=3_600).contains(&next_start(&env, "mail").await));
    worker.stop().await;
    env.close().await;
}
