//! Locks: which job gets one, the order of the wait queue, which waiters are woken, and what a lost
//! worker or a cleared lock leaves behind.

use std::collections::BTreeSet;

use domain::job::{
    Cancellation, FencingToken, JobId, NewJob, Outcome, Priority, Timestamp, WorkerId,
};
use domain::lock::LockName;
use store::{ClaimAnswer, Dumped, FinishAnswer, JobChange, WaitPosition};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claim, claimed, dump, end, failed, finish, lose, redis_cli, submit, worker};

/// A job that needs these locks, `a=1 b=2`.
fn locking(locks: &str) -> NewJob {
    let mut job = job("noop", "");
    job.spec.locks = locks.parse().unwrap();
    job
}

/// The same, due at this time: waiters of one priority are ordered by it.
fn locking_at(ms: i64, locks: &str) -> NewJob {
    NewJob { scheduled_at: Some(Timestamp::from_ms(ms)), ..locking(locks) }
}

fn name(text: &str) -> LockName {
    text.parse().unwrap()
}

async fn parked(env: &TestEnv, worker: &WorkerId, id: JobId) -> String {
    match claim(env, worker, id).await {
        ClaimAnswer::Parked(lock) => lock.to_string(),
        other @ (ClaimAnswer::Claimed(_)
        | ClaimAnswer::Gone
        | ClaimAnswer::Refused(_)
        | ClaimAnswer::Unreadable(..)
        | ClaimAnswer::Failed(_)) => {
            panic!("{id} was not parked: {other:?}")
        }
    }
}

async fn done(env: &TestEnv, id: JobId, token: FencingToken) {
    let answer = finish(env, &end(id, token, Outcome::Done(None))).await;
    assert!(matches!(answer, FinishAnswer::Recorded(_)), "{answer:?}");
}

/// Jobs that are offered now.
async fn ready(env: &TestEnv) -> BTreeSet<String> {
    let world = dump(env).await;
    let queues = world.iter().filter(|(key, _)| key.starts_with("ready:"));
    let ids = queues.filter_map(|(_, value)| match value {
        // After the number and a colon.
        Dumped::Sorted(members) => Some(members.keys().map(|member| member[17..].to_owned())),
        Dumped::Text(_)
        | Dumped::Hash(_)
        | Dumped::Set(_)
        | Dumped::List(_)
        | Dumped::Stream(_) => None,
    });
    ids.flatten().collect()
}

fn only(ids: &[JobId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_freed_lock_goes_to_the_waiter_with_the_highest_priority_and_then_to_the_earliest() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let at = |ms| Some(Timestamp::from_ms(ms));
    let first = submit(&env, &locking("devices=1")).await;
    let run = claimed(&env, &worker, first).await;
    let mut waiting = Vec::new();
    for (priority, due) in
        [(Priority::Low, 1), (Priority::Normal, 30), (Priority::Normal, 20), (Priority::High, 40)]
    {
        let mut job = locking("devices=1");
        job.scheduled_at = at(due);
        job.spec.priority = priority;
        waiting.push(submit(&env, &job).await);
    }
    for id in &waiting {
        assert_eq!(parked(&env, &worker, *id).await, "devices");
        assert_eq!(
            ready(&env).await.len(),
            4 - waiting.iter().position(|one| one == id).unwrap() - 1
        );
    }
    let lock = env.store().lock(&name("devices")).await.unwrap();
    assert_eq!((lock.permits, lock.held, lock.waiting), (Some(1), 1, 4));
    assert_eq!(lock.holders[0].job.id, first);
    assert_eq!(lock.holders[0].job.token, Some(run.token));
    let (mut id, mut token) = (first, run.token);
    for next in [waiting[3], waiting[2], waiting[1], waiting[0]] {
        done(&env, id, token).await;
        assert_eq!(ready(&env).await, only(&[next]), "only the first waiter is woken");
        assert_consistent(env.store()).await;
        let run = claimed(&env, &worker, next).await;
        assert!(run.token > token, "a later holder has a larger token");
        (id, token) = (next, run.token);
    }
    done(&env, id, token).await;
    assert_eq!(env.store().locks(0, 10).await.unwrap(), (Vec::new(), 0));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn all_locks_of_a_job_are_taken_or_none() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let a = submit(&env, &locking_at(1, "a=1")).await;
    let both = submit(&env, &locking_at(2, "a=1 b=1")).await;
    let b = submit(&env, &locking_at(3, "b=1")).await;
    let run_a = claimed(&env, &worker, a).await;
    assert_eq!(parked(&env, &worker, both).await, "a");
    let run_b = claimed(&env, &worker, b).await;
    done(&env, a, run_a.token).await;
    assert_eq!(ready(&env).await, only(&[both]));
    assert_eq!(parked(&env, &worker, both).await, "b", "it does not take a alone");
    // It keeps its place in the wait queue of a.
    let later = submit(&env, &locking_at(4, "a=1")).await;
    assert_eq!(parked(&env, &worker, later).await, "a");
    assert_consistent(env.store()).await;
    done(&env, b, run_b.token).await;
    assert_eq!(ready(&env).await, only(&[both]));
    let run = claimed(&env, &worker, both).await;
    let job = env.store().job(both).await.unwrap().unwrap();
    assert_eq!(job.held_locks.to_string(), "a=1 b=1");
    done(&env, both, run.token).await;
    assert_eq!(ready(&env).await, only(&[later]));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn permits_are_counted_and_may_be_changed() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let licence = name("licence");
    assert_eq!(env.store().set_permits(&licence, Some(3)).await.unwrap(), Some(3));
    let two = submit(&env, &locking_at(1, "licence=2")).await;
    let large = submit(&env, &locking_at(2, "licence=3")).await;
    let small = submit(&env, &locking_at(3, "licence=1")).await;
    let huge = submit(&env, &locking_at(4, "licence=4")).await;
    let run_two = claimed(&env, &worker, two).await;
    assert_eq!(parked(&env, &worker, huge).await, "licence", "it needs more permits than exist");
    assert_eq!(parked(&env, &worker, large).await, "licence", "2 of 3 permits are held");
    assert_eq!(parked(&env, &worker, small).await, "licence", "a larger job waits ahead of it");
    done(&env, two, run_two.token).await;
    assert_eq!(ready(&env).await, only(&[large]));
    assert_eq!(env.store().set_permits(&licence, Some(4)).await.unwrap(), Some(4));
    assert_consistent(env.store()).await;
    let run = claimed(&env, &worker, large).await;
    assert_eq!(ready(&env).await, only(&[small]), "one permit is free");
    assert_eq!(env.store().set_permits(&licence, Some(1)).await.unwrap(), Some(1));
    assert_eq!(parked(&env, &worker, small).await, "licence", "3 permits are held, of 1");
    done(&env, large, run.token).await;
    let run = claimed(&env, &worker, small).await;
    assert_eq!(env.store().set_permits(&licence, None).await.unwrap(), Some(1));
    done(&env, small, run.token).await;
    let position = env.store().wait_position(&env.store().job(huge).await.unwrap().unwrap()).await;
    assert_eq!(position.unwrap(), WaitPosition::Locks(vec![licence]));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn every_end_of_a_holder_frees_its_locks() {
    let env = TestEnv::new().await;
    let doomed = worker(&env).await;
    let keeper = worker(&env).await;
    let ids: Vec<JobId> = {
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(submit(&env, &locking("a=1")).await);
        }
        ids
    };
    let run = claimed(&env, &keeper, ids[0]).await;
    finish(&env, &end(ids[0], run.token, failed())).await;
    let run = claimed(&env, &keeper, ids[1]).await;
    finish(&env, &end(ids[1], run.token, Outcome::Shutdown)).await;
    let run = claimed(&env, &keeper, ids[2]).await;
    env.store().cancel(&ids[2..3], &Cancellation::default()).await.unwrap();
    assert_eq!(parked(&env, &keeper, ids[3]).await, "a", "it was asked to stop, and still runs");
    finish(&env, &end(ids[2], run.token, Outcome::Cancel)).await;
    let run = claimed(&env, &keeper, ids[3]).await;
    env.store().delete(ids[3]).await.unwrap();
    finish(&env, &end(ids[3], run.token, Outcome::Cancel)).await;
    claimed(&env, &doomed, ids[4]).await;
    assert_eq!(parked(&env, &keeper, ids[5]).await, "a");
    lose(&env, &doomed).await;
    assert_consistent(env.store()).await;
    // The follow-up of the job that lost its worker is due later.
    let run = claimed(&env, &keeper, ids[5]).await;
    done(&env, ids[5], run.token).await;
    assert_eq!(env.store().lock(&name("a")).await.unwrap().held, 0);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_cleared_lock_goes_to_the_next_waiter_and_the_end_of_a_former_holder_frees_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (old, new, third) = (
        submit(&env, &locking_at(1, "a=1")).await,
        submit(&env, &locking_at(2, "a=1")).await,
        submit(&env, &locking_at(3, "a=1")).await,
    );
    let run_old = claimed(&env, &worker, old).await;
    parked(&env, &worker, new).await;
    parked(&env, &worker, third).await;
    assert_eq!(env.store().clear_lock(&name("a")).await.unwrap(), 1);
    assert_eq!(ready(&env).await, only(&[new]));
    let run_new = claimed(&env, &worker, new).await;
    assert!(run_new.token > run_old.token);
    done(&env, old, run_old.token).await;
    let lock = env.store().lock(&name("a")).await.unwrap();
    assert_eq!((lock.held, lock.holders[0].job.id), (1, new), "the new holder keeps it");
    assert_eq!(ready(&env).await, only(&[]));
    done(&env, new, run_new.token).await;
    assert_eq!(ready(&env).await, only(&[third]));
    let before = dump(&env).await;
    assert_eq!(env.store().clear_lock(&name("a")).await.unwrap(), 0);
    assert_eq!(dump(&env).await, before, "clearing a free lock changes nothing");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn when_the_first_waiter_is_cancelled_or_changed_the_next_one_is_granted_the_lock() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let holder = submit(&env, &locking("a=1")).await;
    let run = claimed(&env, &worker, holder).await;
    for _ in 0..4 {
        let id = submit(&env, &locking("a=1")).await;
        parked(&env, &worker, id).await;
    }
    done(&env, holder, run.token).await;
    let store = env.store();
    for _ in 0..2 {
        let woken = ready(&env).await;
        assert_eq!(woken.len(), 1);
        let id: JobId = woken.first().unwrap().parse().unwrap();
        store.cancel(&[id], &Cancellation::default()).await.unwrap();
        assert_consistent(store).await;
    }
    let woken: JobId = ready(&env).await.first().unwrap().parse().unwrap();
    let low = JobChange { priority: Some(Priority::Low), scheduled_at: None };
    store.change(woken, low).await.unwrap();
    let next = ready(&env).await;
    assert_eq!(
        next.len(),
        2,
        "the changed job is offered as well, and is parked when it is claimed"
    );
    assert_eq!(parked(&env, &worker, woken).await, "a", "the other waiter goes first");
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test]
async fn a_grant_that_is_not_used_expires_after_two_seconds() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let holder = submit(&env, &locking("a=1")).await;
    let run = claimed(&env, &worker, holder).await;
    let mut unclaimed = locking("a=1");
    unclaimed.spec.priority = Priority::High;
    let unclaimed = submit(&env, &unclaimed).await;
    let next = submit(&env, &locking("a=1")).await;
    parked(&env, &worker, unclaimed).await;
    parked(&env, &worker, next).await;
    done(&env, holder, run.token).await;
    assert_eq!(ready(&env).await, only(&[unclaimed]));
    env.store().due().await.unwrap();
    assert_eq!(ready(&env).await, only(&[unclaimed]), "the grant has not expired");
    let both = only(&[unclaimed, next]);
    let both_offered = async || {
        env.store().due().await.unwrap();
        ready(&env).await == both
    };
    env.eventually("the next waiter is granted the lock", both_offered).await;
    assert_consistent(env.store()).await;
    let run = claimed(&env, &worker, next).await;
    assert_eq!(parked(&env, &worker, unclaimed).await, "a");
    done(&env, next, run.token).await;
    claimed(&env, &worker, unclaimed).await;
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_paused_action_starts_no_job_until_it_is_resumed() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let noop = name("action:noop");
    let runs = submit(&env, &locking("")).await;
    let run = claimed(&env, &worker, runs).await;
    env.store().pause(&noop, true).await.unwrap();
    let other = submit(&env, &job("sleep", "")).await;
    claimed(&env, &worker, other).await;
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let id = submit(&env, &locking("")).await;
        assert_eq!(parked(&env, &worker, id).await, "action:noop");
        waiting.push(id);
    }
    done(&env, runs, run.token).await;
    assert_eq!(ready(&env).await, only(&[]));
    assert_consistent(env.store()).await;
    env.store().pause(&noop, false).await.unwrap();
    assert_eq!(ready(&env).await.len(), 64, "the first waiters are offered at once");
    while env.store().due().await.unwrap().moved > 0 {}
    assert_consistent(env.store()).await;
    for id in waiting {
        let run = claimed(&env, &worker, id).await;
        done(&env, id, run.token).await;
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_limits_of_an_action_and_of_each_of_its_keys_are_enforced() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let store = env.store();
    store.set_permits(&name("action:noop"), Some(3)).await.unwrap();
    store.set_permits(&name("action:noop:*"), Some(1)).await.unwrap();
    let (a1, a2, b1, c1, d1) = (
        submit(&env, &locking("action:noop:a=1")).await,
        submit(&env, &locking("action:noop:a=1")).await,
        submit(&env, &locking("action:noop:b=1")).await,
        submit(&env, &locking("action:noop:c=1")).await,
        submit(&env, &locking("action:noop:d=1")).await,
    );
    let run = claimed(&env, &worker, a1).await;
    assert_eq!(parked(&env, &worker, a2).await, "action:noop:a");
    claimed(&env, &worker, b1).await;
    claimed(&env, &worker, c1).await;
    assert_eq!(parked(&env, &worker, d1).await, "action:noop");
    assert_consistent(store).await;
    done(&env, a1, run.token).await;
    store.set_permits(&name("action:noop:*"), None).await.unwrap();
    store.set_permits(&name("action:noop"), None).await.unwrap();
    while store.due().await.unwrap().moved > 0 {}
    claimed(&env, &worker, a2).await;
    claimed(&env, &worker, d1).await;
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test]
async fn a_lock_with_ten_thousand_holders_is_cleared_in_one_step() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    env.store().set_permits(&name("a"), Some(10_000)).await.unwrap();
    let root = format!("{{{}}}", env.store_config().namespace);
    let held = (0..10_000).flat_map(|_| [JobId::random().to_string(), "1".to_owned()]);
    let command = ["hset".to_owned(), format!("{root}:lock:a")].into_iter().chain(held);
    redis_cli(&env.store_config().redis_url, command).await;
    let held = ["hset", &format!("{root}:permits:held"), "a", "10000"].map(str::to_owned);
    redis_cli(&env.store_config().redis_url, held).await;
    let next = submit(&env, &locking("a=10000")).await;
    parked(&env, &worker, next).await;

    assert_eq!(env.store().clear_lock(&name("a")).await.unwrap(), 10_000);
    claimed(&env, &worker, next).await;
    let Some(Dumped::Stream(events)) = dump(&env).await.remove("events") else { panic!() };
    let cleared = events.iter().find(|event| event.get("change") == Some(&"cleared".to_owned()));
    assert_eq!(cleared.unwrap()["value"].split(' ').count(), 100, "the event names some");
    assert_consistent(env.store()).await;
    env.close().await;
}
