//! Rate limits: how many jobs start in a time, which waiters are woken, and what a change does.

use std::time::Duration;

use domain::job::{JobId, NewJob, Outcome, Timestamp, WorkerId};
use domain::limit::{LimitName, RateLimit};
use domain::lock::LockName;
use store::{ClaimAnswer, Dumped, FinishAnswer, LimitState, SetLimitAnswer, Settings, Sweep};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claim, claimed, dump, end, finish, submit, worker};

/// No permit is restored within the time of a test.
const LONG: Duration = Duration::from_secs(1_000);

fn rated(rates: &[(&str, u32)]) -> NewJob {
    let mut job = job("noop", "");
    for (key, count) in rates {
        job.spec.locks.add(LockName::of_rate(key).unwrap(), *count);
    }
    job
}

async fn set(env: &TestEnv, name: &str, (rate, per, burst): (i64, Duration, i64)) {
    let limit = RateLimit::new(rate, per, burst).unwrap();
    let set = env.store().set_limit(&name.parse().unwrap(), limit).await.unwrap();
    assert_eq!(set, SetLimitAnswer::Set);
}

async fn delete(env: &TestEnv, name: &str) -> bool {
    env.store().delete_limit(&name.parse().unwrap()).await.unwrap()
}

async fn state(env: &TestEnv, key: &str) -> LimitState {
    let limits = env.store().rate_limits().await.unwrap();
    let (_, limit) = limits.of_key(key).unwrap();
    let key = LockName::of_rate(key).unwrap();
    env.store().limit_states(&[(key, *limit)]).await.unwrap()[0]
}

/// Claims jobs one by one; the letters say which run and which wait.
async fn try_all(env: &TestEnv, worker: &WorkerId, ids: &[JobId]) -> String {
    let mut letters = String::new();
    for id in ids {
        letters.push(match claim(env, worker, *id).await {
            ClaimAnswer::Claimed(_) => 'r',
            ClaimAnswer::Parked(_) => 'w',
            other @ (ClaimAnswer::Gone
            | ClaimAnswer::Refused(_)
            | ClaimAnswer::Unreadable(..)
            | ClaimAnswer::Failed(_)) => panic!("{id}: {other:?}"),
        });
        assert_consistent(env.store()).await;
    }
    letters
}

async fn submit_all(env: &TestEnv, jobs: impl IntoIterator<Item = NewJob>) -> Vec<JobId> {
    let mut ids = Vec::new();
    for job in jobs {
        ids.push(submit(env, &job).await);
    }
    ids
}

async fn is_offered(env: &TestEnv, id: JobId) -> bool {
    let world = dump(env).await;
    let queues = world.iter().filter(|(key, _)| key.starts_with("ready:"));
    queues.into_iter().any(|(_, queue)| {
        let Dumped::Sorted(members) = queue else { panic!("{queue:?}") };
        members.keys().any(|member| member.ends_with(&id.to_string()))
    })
}

#[tokio::test]
async fn as_many_jobs_start_at_once_as_the_burst_and_the_others_wait_in_order() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "mail", (1, LONG, 2)).await;
    let ids = submit_all(&env, (0..4).map(|_| rated(&[("mail", 1)]))).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "rrww");
    let LimitState { used, waiting, next_at } = state(&env, "mail").await;
    assert_eq!((used, waiting), (2, 2));
    let now = env.store().now().await.unwrap().ms();
    assert!((now + 900_000..now + 1_000_001).contains(&next_at.ms()), "{next_at}");
    // The end of a run gives nothing back.
    let run = env.store().job(ids[0]).await.unwrap().unwrap();
    let answer = finish(&env, &end(run.id, run.token.unwrap(), Outcome::Done(None))).await;
    assert!(matches!(answer, FinishAnswer::Recorded(_)), "{answer:?}");
    assert_eq!(state(&env, "mail").await.used, 2);
    assert_eq!(env.store().locks(0, 10).await.unwrap().1, 0, "rate limits are no locks to people");
    env.close().await;
}

#[tokio::test]
async fn a_waiting_job_is_offered_when_a_permit_is_back() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "mail", (4, Duration::from_secs(1), 1)).await;
    let ids = submit_all(&env, (0..4).map(|_| rated(&[("mail", 1)]))).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "rwww");
    let mut starts = vec![started(&env, ids[0]).await];
    for id in &ids[1..] {
        let offered = async || {
            env.store().due().await.unwrap();
            is_offered(&env, *id).await
        };
        env.eventually("the job is offered", offered).await;
        claimed(&env, &worker, *id).await;
        starts.push(started(&env, *id).await);
        assert_consistent(env.store()).await;
    }
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] >= 50, "{starts:?}");
    }
    env.close().await;
}

async fn started(env: &TestEnv, id: JobId) -> i64 {
    env.store().job(id).await.unwrap().unwrap().started_at.unwrap().ms()
}

#[tokio::test]
async fn a_job_takes_all_of_its_limits_and_its_locks_or_none() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "a", (1, LONG, 3)).await;
    set(&env, "b", (1, LONG, 1)).await;
    let both = || rated(&[("a", 2), ("b", 1)]);
    let mut locked = rated(&[("a", 1)]);
    locked.spec.locks.add("devices".parse().unwrap(), 1);
    let mut holder = job("noop", "");
    holder.spec.locks = "devices=1".parse().unwrap();
    let ids = submit_all(&env, [both(), both(), holder, locked]).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "rwrw");
    assert_eq!(state(&env, "a").await.used, 2, "neither waiting job has used a permit");
    assert_eq!(state(&env, "b").await.used, 1);
    env.close().await;
}

#[tokio::test]
async fn a_job_that_counts_as_more_than_the_burst_waits_and_holds_up_no_other() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "mail", (1, LONG, 2)).await;
    let ids = submit_all(&env, [rated(&[("mail", 3)]), rated(&[("mail", 2)])]).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "wr");
    set(&env, "mail", (1, LONG, 5)).await;
    assert!(is_offered(&env, ids[0]).await, "three permits are left of the larger burst");
    assert_eq!(try_all(&env, &worker, &ids[..1]).await, "r");
    env.close().await;
}

#[tokio::test]
async fn each_key_of_a_pattern_is_limited_by_itself_and_the_longest_pattern_applies() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "mail-*", (1, LONG, 1)).await;
    set(&env, "mail-eu-*", (1, LONG, 2)).await;
    set(&env, "mail-eu-1", (1, LONG, 3)).await;
    let keys = ["mail-us", "mail-us", "mail-eu-2", "mail-eu-2", "mail-eu-2"];
    let ids = submit_all(&env, keys.map(|key| rated(&[(key, 1)]))).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "rwrrw");
    let own = submit_all(&env, (0..4).map(|_| rated(&[("mail-eu-1", 1)]))).await;
    assert_eq!(try_all(&env, &worker, &own).await, "rrrw");
    let free = submit_all(&env, (0..3).map(|_| rated(&[("sms", 1)]))).await;
    assert_eq!(try_all(&env, &worker, &free).await, "rrr", "a key without a limit");
    // The ticker wakes the waiters of the keys of a pattern.
    assert!(delete(&env, "mail-*").await);
    env.store().due().await.unwrap();
    assert!(is_offered(&env, ids[1]).await);
    assert!(!is_offered(&env, ids[4]).await);
    env.close().await;
}

#[tokio::test]
async fn a_changed_limit_applies_at_once_and_a_deleted_one_holds_up_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "mail", (1, LONG, 1)).await;
    let ids = submit_all(&env, (0..4).map(|_| rated(&[("mail", 1)]))).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "rwww");
    set(&env, "mail", (1, LONG, 2)).await;
    assert!(is_offered(&env, ids[1]).await && !is_offered(&env, ids[2]).await);
    assert_consistent(env.store()).await;
    assert!(delete(&env, "mail").await && !delete(&env, "mail").await);
    for id in &ids[1..] {
        assert!(is_offered(&env, *id).await);
    }
    assert_consistent(env.store()).await;
    assert_eq!(try_all(&env, &worker, &ids[1..]).await, "rrr");
    env.close().await;
}

#[tokio::test]
async fn a_key_that_is_held_back_allows_no_start_until_then_and_keeps_the_later_time() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let key = LockName::of_rate("mail").unwrap();
    let hold = async |s| env.store().hold_back(&key, Duration::from_secs(s)).await.unwrap();
    assert!(!hold(60).await, "it has no limit");
    set(&env, "mail", (100, Duration::from_secs(1), 10)).await;
    assert!(hold(60).await && hold(1).await);
    let now = env.store().now().await.unwrap().ms();
    let next = state(&env, "mail").await.next_at.ms();
    assert!((now + 50_000..=now + 60_000).contains(&next), "{}", next - now);
    let id = submit(&env, &rated(&[("mail", 1)])).await;
    assert_eq!(try_all(&env, &worker, &[id]).await, "w");
    assert!(delete(&env, "mail").await);
    assert!(is_offered(&env, id).await);
    env.close().await;
}

#[tokio::test]
async fn keys_that_are_not_used_any_more_leave_nothing_behind() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set(&env, "k-*", (1_000, Duration::from_secs(1), 1)).await;
    let ids = submit_all(&env, (0..3).map(|n| rated(&[(&format!("k-{n}"), 1)]))).await;
    assert_eq!(try_all(&env, &worker, &ids).await, "rrr");
    let removed = async || {
        env.store().trim(&Settings::default(), &mut Sweep::default()).await.unwrap();
        !dump(&env).await.contains_key("rates")
    };
    env.eventually("the times of the keys are removed", removed).await;
    env.close().await;
}

#[tokio::test]
async fn times_that_lie_too_far_ahead_since_the_clock_was_set_back_are_corrected() {
    let env = TestEnv::new().await;
    set(&env, "mail", (1, Duration::from_secs(1), 2)).await;
    let key = LockName::of_rate("mail").unwrap();
    assert!(env.store().hold_back(&key, Duration::from_secs(86_400)).await.unwrap());
    env.store().clamp_times(Duration::from_secs(60)).await.unwrap();
    let next = state(&env, "mail").await.next_at;
    let latest = Timestamp::from_ms(env.store().now().await.unwrap().ms() + 1_000);
    assert!(next <= latest, "{next} {latest}");
    env.close().await;
}

#[tokio::test]
async fn a_namespace_has_only_so_many_limits() {
    let env = TestEnv::new().await;
    let limit = RateLimit::new(1, LONG, 1).unwrap();
    let set = async |name: String| {
        let name: LimitName = name.parse().unwrap();
        env.store().set_limit(&name, limit).await.unwrap()
    };
    for n in 0..100 {
        assert_eq!(set(format!("p{n}-*")).await, SetLimitAnswer::Set);
    }
    assert_eq!(set("more-*".to_owned()).await, SetLimitAnswer::TooMany);
    assert_eq!(set("p1-*".to_owned()).await, SetLimitAnswer::Set, "one that exists");
    for n in 100..1_000 {
        assert_eq!(set(format!("k{n}")).await, SetLimitAnswer::Set);
    }
    assert_eq!(set("more".to_owned()).await, SetLimitAnswer::TooMany);
    assert!(delete(&env, "k100").await);
    assert_eq!(set("more".to_owned()).await, SetLimitAnswer::Set);
    env.close().await;
}
