//! Chains of jobs that carry each other on: the last one is found however long the chain is, and
//! whatever part of it is gone.

use domain::job::{JobId, NewJob, Outcome, Status, WorkerId};
use store::{Dumped, Settings, Sweep};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, failed, finish, redis_cli, status, submit, worker};

/// Submits a job and makes `count` follow-ups, each after the worker of the one before has left.
pub(crate) async fn chain(
    env: &TestEnv,
    worker: &WorkerId,
    first: &NewJob,
    count: usize,
) -> Vec<JobId> {
    let mut ids = vec![submit(env, first).await];
    while ids.len() <= count {
        let id = ids[ids.len() - 1];
        let ended = end(id, claimed(env, worker, id).await.token, Outcome::Shutdown);
        finish(env, &ended).await;
        ids.push(ended.follow_up);
    }
    ids
}

fn after(id: JobId) -> NewJob {
    let mut job = job("noop", "");
    job.spec.depends_on = vec![id];
    job
}

async fn propagated(env: &TestEnv) {
    while env.store().propagate().await.unwrap() != (0, 0) {}
}

async fn run(env: &TestEnv, worker: &WorkerId, id: JobId, outcome: Outcome) {
    let ended = end(id, claimed(env, worker, id).await.token, outcome);
    finish(env, &ended).await;
    propagated(env).await;
}

/// The last job of the chain that one belongs to.
async fn last_of(env: &TestEnv, id: JobId) -> JobId {
    env.store().related(&[id]).await.unwrap()[&id].last.id
}

async fn redis(env: &TestEnv, words: &[&str]) {
    let key = format!("{{{}}}:{}", env.store_config().namespace, words[1]);
    let words =
        [words[0].to_owned(), key].into_iter().chain(words[2..].iter().map(|w| (*w).into()));
    redis_cli(&env.store_config().redis_url, words).await;
}

#[tokio::test]
async fn a_job_that_names_any_job_of_a_chain_waits_for_the_last() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = chain(&env, &worker, &job("noop", ""), 4).await;
    let last = ids[4];
    let mut dependents = Vec::new();
    for id in &ids {
        assert_eq!(last_of(&env, *id).await, last);
        assert_eq!(env.job(*id).await.first, ids[0]);
        dependents.push(submit(&env, &after(*id)).await);
    }
    assert_consistent(env.store()).await;
    run(&env, &worker, last, Outcome::Done(None)).await;
    for dependent in dependents {
        run(&env, &worker, dependent, Outcome::Done(None)).await;
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_names_a_chain_whose_last_job_was_deleted_is_cancelled() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = chain(&env, &worker, &job("noop", ""), 3).await;
    // A gap changes nothing: the set of the chain leads over it.
    env.store().delete(ids[1]).await.unwrap();
    assert_eq!(last_of(&env, ids[0]).await, ids[3]);
    env.store().delete(ids[3]).await.unwrap();
    let dependent = submit(&env, &after(ids[0])).await;
    propagated(&env).await;
    assert_eq!(status(&env, dependent).await, Status::Cancel);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_chain_that_has_left_the_history_leaves_nothing_behind() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = chain(&env, &worker, &job("noop", ""), 3).await;
    run(&env, &worker, ids[3], Outcome::Done(None)).await;
    let settings = Settings { job_history_max_age: "1ms".parse().unwrap(), ..Settings::default() };
    env.eventually("the jobs are removed", async || {
        env.store().trim(&settings, &mut Sweep::default()).await.unwrap();
        env.store().job(ids[3]).await.unwrap().is_none()
    })
    .await;
    assert_eq!(dump(&env).await.keys().find(|key| key.starts_with("chain:")), None);
    env.close().await;
}

#[tokio::test]
async fn a_chain_from_before_there_were_sets_is_followed_and_gets_a_set_when_it_goes_on() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut ids = chain(&env, &worker, &job("noop", ""), 3).await;
    redis(&env, &["del", &format!("chain:{}", ids[0])]).await;
    for id in &ids {
        redis(&env, &["hdel", &format!("job:{id}"), "firstID"]).await;
    }
    let dependent = submit(&env, &after(ids[0])).await;
    assert_eq!(env.job(ids[3]).await.next, Some(dependent));
    for _ in 0..2 {
        let id = ids[ids.len() - 1];
        assert_eq!(last_of(&env, ids[1]).await, id);
        let ended = end(id, claimed(&env, &worker, id).await.token, Outcome::Shutdown);
        finish(&env, &ended).await;
        ids.push(ended.follow_up);
    }
    let other = submit(&env, &after(ids[0])).await;
    assert_eq!(env.job(ids[5]).await.first, ids[3], "the set begins with the last old record");
    run(&env, &worker, ids[5], failed()).await;
    for id in [dependent, other] {
        assert_eq!(status(&env, id).await, Status::Error, "it waited for the last");
    }
    env.close().await;
}

#[tokio::test]
async fn an_older_service_may_carry_on_a_job_of_a_set_without_adding_to_it() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let ids = chain(&env, &worker, &job("noop", ""), 3).await;
    redis(&env, &["zrem", &format!("chain:{}", ids[0]), &ids[3].to_string()]).await;
    redis(&env, &["hdel", &format!("job:{}", ids[3]), "firstID"]).await;
    for id in &ids[..3] {
        assert_eq!(last_of(&env, *id).await, ids[3]);
        let dependent = submit(&env, &after(*id)).await;
        assert_eq!(status(&env, dependent).await, Status::Waiting);
    }
    let Some(Dumped::Sorted(waiting)) = dump(&env).await.remove(&format!("dependents:{}", ids[3]))
    else {
        panic!("no job waits for the last");
    };
    assert_eq!(waiting.len(), 3);
    env.close().await;
}
