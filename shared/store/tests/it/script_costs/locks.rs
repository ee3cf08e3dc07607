//! The costliest calls that change locks: jobs that need sixteen locks with many permits, and
//! hundreds that wait for all of them.

use std::time::Duration;

use domain::cron::TimeZone;
use domain::job::{Cancellation, JobId, NewJob, Outcome};
use domain::limit::{CalendarQuota, PER, RateLimit, Window};
use domain::lock::LockName;
use store::{ActionDefaults, Dumped, JobChange};
use testkit::{TestEnv, jobs};

use super::jobs::{claim_all, finish_all, ids, submit_all};
use crate::calls::{dump, lose, redis_cli, worker};

const LOCKS: usize = 16;
const HOLDERS: usize = 164;
const WAITERS: usize = 1_000;

fn lock(index: usize) -> LockName {
    format!("l{index}").parse().unwrap()
}

fn locking(count: usize) -> Vec<NewJob> {
    let locks: Vec<String> = (0..LOCKS).map(|index| format!("l{index}=1")).collect();
    let mut some = jobs(count, "noop", "");
    for job in &mut some {
        job.spec.locks = locks.join(" ").parse().unwrap();
        job.spec.fairness_key = Some(job.id.to_string());
    }
    some
}

/// Makes calls of Redis itself.
async fn redis(env: &TestEnv, command: &str, key: &str, rest: Vec<String>) {
    let key = format!("{{{}}}:{key}", env.store_config().namespace);
    let words = [command.to_owned(), key].into_iter().chain(rest);
    redis_cli(&env.store_config().redis_url, words).await;
}

/// Lets all grants expire.
async fn expire_grants(env: &TestEnv) {
    let grants = (0..LOCKS).flat_map(|index| ["1".to_owned(), lock(index).to_string()]);
    redis(env, "zadd", "grants", grants.collect()).await;
    for (key, value) in dump(env).await {
        if let (true, Dumped::Sorted(members)) = (key.starts_with("ready:"), value) {
            let members = members.into_keys().flat_map(|member| ["1".to_owned(), member]);
            redis(env, "zadd", &key, members.collect()).await;
        }
    }
    for _ in 0..3 {
        env.store().due().await.unwrap();
    }
}

/// Claims all these jobs until each of them is parked or runs.
async fn park_all(env: &TestEnv, worker: &domain::job::WorkerId, some: &[JobId]) {
    claim_all(env, worker, &some[..128]).await;
    for some in some.chunks(64) {
        claim_all(env, worker, some).await;
    }
}

pub(super) async fn contention(url: &str) {
    let env = TestEnv::on(url).await;
    let (first, second) = (worker(&env).await, worker(&env).await);
    let store = env.store();
    for index in 0..LOCKS {
        store.set_permits(&lock(index), Some(HOLDERS as u32)).await.unwrap();
    }
    let (holders, waiters) = (locking(HOLDERS), locking(WAITERS));
    submit_all(&env, &holders).await;
    submit_all(&env, &waiters).await;
    let (holders, waiters) = (ids(&holders), ids(&waiters));
    let runs = claim_all(&env, &first, &holders[..64]).await;
    assert_eq!(claim_all(&env, &second, &holders[64..]).await.len(), 100);
    park_all(&env, &first, &waiters).await;

    store.clear_lock(&lock(0)).await.unwrap();
    let (lost, finished) = runs.split_at(32);
    let lost: Vec<_> = lost.iter().map(|run| (run.id, run.token)).collect();
    assert_eq!(store.lose_runs(&first, &lost).await.unwrap(), 32);
    finish_all(&env, finished, &Outcome::Done(None)).await;
    lose(&env, &second).await;
    expire_grants(&env).await;
    let running = claim_all(&env, &first, &waiters[900..]).await;
    store.set_permits(&lock(1), Some(300)).await.unwrap();
    finish_all(&env, &running, &Outcome::Done(None)).await;
    store.cancel(&waiters[..200], &Cancellation::default()).await.unwrap();
    let soon = JobChange { scheduled_at: Some(domain::job::Timestamp::from_ms(1)), priority: None };
    store.change(waiters[200], soon).await.unwrap();
    store.delete(waiters[201]).await.unwrap();
    let expiring = waiters[300..500].iter().flat_map(|id| ["1".to_owned(), id.to_string()]);
    redis(&env, "zadd", "expiring", expiring.collect()).await;
    store.expire_waiting().await.unwrap();

    limits(&env, &waiters[500..900]).await;
    env.close().await;
}

/// Jobs that wait for many locks and for the limit of their action are released.
async fn limits(env: &TestEnv, waiters: &[JobId]) {
    let store = env.store();
    let action = "noop".parse().unwrap();
    let name = LockName::of_action(&action);
    let worker = worker(env).await;
    let more = locking(200);
    submit_all(env, &more).await;
    store.pause(&name, true).await.unwrap();
    park_all(env, &worker, &ids(&more)).await;
    park_all(env, &worker, waiters).await;
    store.pause(&name, false).await.unwrap();
    let limit = ActionDefaults { max_running: Some(1), ..ActionDefaults::default() };
    store.set_action_config(&action, &limit).await.unwrap();
    let late = locking(200);
    submit_all(env, &late).await;
    park_all(env, &worker, &ids(&late)).await;
    store.delete_action_config(&action).await.unwrap();
    env.eventually("the ticker has released the others", async || {
        store.due().await.unwrap().next.is_none_or(|next| next > Duration::ZERO)
    })
    .await;
}

/// Hundreds of jobs wait for sixteen rate limits each, which change.
pub(super) async fn rates(url: &str) {
    let env = TestEnv::on(url).await;
    let worker = worker(&env).await;
    let store = env.store();
    let name = |index: usize| format!("k-{index}").parse().unwrap();
    let limit = |burst| RateLimit::new(1, PER.1, burst).unwrap();
    let day = |quota| CalendarQuota::new(quota, Window::Day, TimeZone::default()).unwrap();
    let day = |quota| RateLimit::Calendar(day(quota));
    for index in 0..LOCKS {
        let one = if index % 2 == 0 { limit(1) } else { day(1) };
        store.set_limit(&name(index), one).await.unwrap();
    }
    let keys: Vec<String> = (0..LOCKS).map(|index| format!("rate:k-{index}=1")).collect();
    let mut some = jobs(300, "noop", "");
    for job in &mut some {
        job.spec.locks = keys.join(" ").parse().unwrap();
        job.spec.fairness_key = Some(job.id.to_string());
    }
    submit_all(&env, &some).await;
    park_all(&env, &worker, &ids(&some)).await;
    store.set_limit(&name(0), limit(100)).await.unwrap();
    store.set_limit(&name(1), day(100)).await.unwrap();
    for key in ["k-0", "k-1"] {
        let key = LockName::of_rate(key).unwrap();
        assert!(store.hold_back(&key, Duration::from_secs(60)).await.unwrap());
    }
    let field = [name(2).to_string(), "calendar 1 day UTC 1 2".to_owned()];
    env.redis("hset", "limits", &field.each_ref().map(String::as_str)).await;
    assert_eq!(store.renew_windows().await.unwrap(), 1);
    for index in 0..LOCKS {
        assert!(store.delete_limit(&name(index)).await.unwrap());
    }
    store.set_limit(&"k-*".parse().unwrap(), limit(1)).await.unwrap();
    assert!(store.delete_limit(&"k-*".parse().unwrap()).await.unwrap());
    for _ in 0..10 {
        store.due().await.unwrap();
    }
    env.close().await;
}
