//! Locks at the store: who gets one, who stands in line, who is woken, and what is left when one dies or is cleared.

use std::collections::BTreeSet;

use domain::job::{
    Cancellation, FencingToken, JobId, NewJob, Outcome, Priority, Timestamp, WorkerId,
};
use domain::lock::LockName;
use store::{ClaimAnswer, Dumped, FinishAnswer, JobChange, WaitPosition};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claim, claimed, dump, end, failed, finish, lose, submit, worker};

/// A job that needs these locks, `a=1 b=2`.
fn locking(locks: &str) -> NewJob {
    let mut job = job("noop", "");
    job.spec.locks = locks.parse().unwrap();
    job
}

fn name(text: &str) -> LockName {
    text.parse().unwrap()
}

async fn parked(env: &TestEnv, worker: &WorkerId, id: JobId) -> String {
    match claim(env, worker, id).await {
        ClaimAnswer::Parked(lock) => lock.to_string(),
        other @ (ClaimAnswer::Claimed(_) | ClaimAnswer::Gone | ClaimAnswer::Refused(_)) => {
            panic!("{id} was not parked: {other:?}")
        }
    }
}

async fn done(env: &TestEnv, id: JobId, token: FencingToken) {
    let told = finish(env, &end(id, token, Outcome::Done(None))).await;
    assert!(matches!(told, FinishAnswer::Recorded(_)), "{told:?}");
}

/// Jobs that are offered now.
async fn ready(env: &TestEnv) -> BTreeSet<String> {
    let world = dump(env).await;
    let queues = world.iter().filter(|(key, _)| key.starts_with("ready:"));
    let ids = queues.filter_map(|(_, value)| match value {
        Dumped::Sorted(ids) => Some(ids.keys().cloned()),
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
async fn a_freed_lock_wakes_the_most_urgent_and_then_the_oldest() {
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
        assert_eq!(ready(&env).await, only(&[next]), "one is woken, the first in line");
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
    let a = submit(&env, &locking("a=1")).await;
    let both = submit(&env, &locking("a=1 b=1")).await;
    let b = submit(&env, &locking("b=1")).await;
    let run_a = claimed(&env, &worker, a).await;
    assert_eq!(parked(&env, &worker, both).await, "a");
    let run_b = claimed(&env, &worker, b).await;
    done(&env, a, run_a.token).await;
    assert_eq!(ready(&env).await, only(&[both]));
    assert_eq!(parked(&env, &worker, both).await, "b", "a alone is not taken");
    // It keeps its place at a.
    let later = submit(&env, &locking("a=1")).await;
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
    let due = |ms, locks| NewJob { scheduled_at: Some(Timestamp::from_ms(ms)), ..locking(locks) };
    let two = submit(&env, &due(1, "licence=2")).await;
    let large = submit(&env, &due(2, "licence=3")).await;
    let small = submit(&env, &due(3, "licence=1")).await;
    let huge = submit(&env, &due(4, "licence=4")).await;
    let run_two = claimed(&env, &worker, two).await;
    assert_eq!(parked(&env, &worker, huge).await, "licence", "there are never as many");
    assert_eq!(parked(&env, &worker, large).await, "licence", "2 of 3 are taken");
    assert_eq!(parked(&env, &worker, small).await, "licence", "a larger one stands before it");
    done(&env, two, run_two.token).await;
    assert_eq!(ready(&env).await, only(&[large]));
    assert_eq!(env.store().set_permits(&licence, Some(4)).await.unwrap(), Some(4));
    assert_consistent(env.store()).await;
    let run = claimed(&env, &worker, large).await;
    assert_eq!(ready(&env).await, only(&[small]), "one is free");
    assert_eq!(env.store().set_permits(&licence, Some(1)).await.unwrap(), Some(1));
    assert_eq!(parked(&env, &worker, small).await, "licence", "3 of 1 are taken");
    done(&env, large, run.token).await;
    let run = claimed(&env, &worker, small).await;
    assert_eq!(env.store().set_permits(&licence, None).await.unwrap(), Some(1));
    done(&env, small, run.token).await;
    let place = env.store().wait_position(&env.store().job(huge).await.unwrap().unwrap()).await;
    assert_eq!(place.unwrap(), WaitPosition::Locks(vec![licence]));
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
    assert_eq!(parked(&env, &keeper, ids[3]).await, "a", "it is stopping, and still runs");
    finish(&env, &end(ids[2], run.token, Outcome::Cancel)).await;
    let run = claimed(&env, &keeper, ids[3]).await;
    env.store().delete(ids[3]).await.unwrap();
    finish(&env, &end(ids[3], run.token, Outcome::Cancel)).await;
    claimed(&env, &doomed, ids[4]).await;
    assert_eq!(parked(&env, &keeper, ids[5]).await, "a");
    lose(&env, &doomed).await;
    assert_consistent(env.store()).await;
    // The follow-up of what its worker lost is younger.
    let run = claimed(&env, &keeper, ids[5]).await;
    done(&env, ids[5], run.token).await;
    assert_eq!(env.store().lock(&name("a")).await.unwrap().held, 0);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_lock_that_is_cleared_goes_to_the_next_and_a_late_end_frees_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (old, new, third) = (
        submit(&env, &locking("a=1")).await,
        submit(&env, &locking("a=1")).await,
        submit(&env, &locking("a=1")).await,
    );
    let run_old = claimed(&env, &worker, old).await;
    parked(&env, &worker, new).await;
    parked(&env, &worker, third).await;
    assert_eq!(env.store().clear_lock(&name("a")).await.unwrap(), [old]);
    assert_eq!(ready(&env).await, only(&[new]));
    let run_new = claimed(&env, &worker, new).await;
    assert!(run_new.token > run_old.token);
    done(&env, old, run_old.token).await;
    let lock = env.store().lock(&name("a")).await.unwrap();
    assert_eq!((lock.held, lock.holders[0].job.id), (1, new), "it is still held");
    assert_eq!(ready(&env).await, only(&[]));
    done(&env, new, run_new.token).await;
    assert_eq!(ready(&env).await, only(&[third]));
    let before = dump(&env).await;
    assert_eq!(env.store().clear_lock(&name("a")).await.unwrap(), []);
    assert_eq!(dump(&env).await, before, "nobody held it");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn whoever_stands_first_and_goes_lets_the_next_have_its_turn() {
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
        "the one that was changed is offered as well, and is parked at its claim"
    );
    assert_eq!(parked(&env, &worker, woken).await, "a", "the other one goes first");
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test]
async fn a_turn_that_nobody_uses_is_over_after_two_seconds() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let holder = submit(&env, &locking("a=1")).await;
    let run = claimed(&env, &worker, holder).await;
    let mut nobodys = locking("a=1");
    nobodys.spec.priority = Priority::High;
    let nobodys = submit(&env, &nobodys).await;
    let patient = submit(&env, &locking("a=1")).await;
    parked(&env, &worker, nobodys).await;
    parked(&env, &worker, patient).await;
    done(&env, holder, run.token).await;
    assert_eq!(ready(&env).await, only(&[nobodys]));
    env.store().due().await.unwrap();
    assert_eq!(ready(&env).await, only(&[nobodys]), "not yet");
    let both = only(&[nobodys, patient]);
    let woken = async || {
        env.store().due().await.unwrap();
        ready(&env).await == both
    };
    env.eventually("the next one has its turn", woken).await;
    assert_consistent(env.store()).await;
    let run = claimed(&env, &worker, patient).await;
    assert_eq!(parked(&env, &worker, nobodys).await, "a");
    done(&env, patient, run.token).await;
    claimed(&env, &worker, nobodys).await;
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn an_action_that_is_paused_starts_no_job_until_it_is_resumed() {
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
    assert_eq!(ready(&env).await.len(), 64, "some go at once");
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
async fn an_actions_limit_is_kept_for_the_action_and_for_each_of_its_keys() {
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
