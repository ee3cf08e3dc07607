//! The window of a fairness group that is alone in its queue: it widens while workers are fast, and
//! others get their share as soon as they have a job there.

use std::collections::BTreeMap;

use domain::job::{JobId, NewJob, Status, WorkerId};
use store::{ClaimAnswer, Dumped, QueueLoad};
use testkit::{TestEnv, assert_consistent, job, jobs};
use uuid::Uuid;

use crate::calls::{claim, claimed, dump, redis_cli, worker};

/// How many jobs of a group are offered at a time, usually and at most.
const USUAL: usize = 64;
const WIDEST: usize = 1024;
const QUEUE: &str = "default=1.normal";

async fn submit(env: &TestEnv, jobs: &[NewJob]) {
    env.store().submit_batch(Uuid::new_v4(), jobs).await.unwrap();
}

async fn load(env: &TestEnv) -> QueueLoad {
    env.store().queue_loads().await.unwrap().remove(0)
}

/// The jobs that are offered and when each was, in the order of their numbers.
async fn offered(env: &TestEnv) -> BTreeMap<String, f64> {
    match dump(env).await.remove(&format!("ready:{QUEUE}")) {
        Some(Dumped::Sorted(members)) => members,
        other => panic!("{other:?}"),
    }
}

fn id_of(member: &str) -> JobId {
    member.split_once(':').unwrap().1.parse().unwrap()
}

async fn window(env: &TestEnv) -> Option<String> {
    match dump(env).await.remove("routing") {
        Some(Dumped::Hash(mut routing)) => routing.remove(&format!("window:{QUEUE}")),
        other => panic!("{other:?}"),
    }
}

/// Sets when these jobs were offered.
async fn set_offered(env: &TestEnv, members: impl Iterator<Item = &String>, at: &str) {
    let key = format!("{{{}}}:ready:{QUEUE}", env.store_config().namespace);
    let scores = members.flat_map(|member| [at.to_owned(), member.clone()]);
    let command = ["zadd".to_owned(), key].into_iter().chain(scores);
    redis_cli(&env.store_config().redis_url, command).await;
}

/// A worker, and many jobs of one group: they are claimed as soon as they are offered, until the
/// window is as wide as it gets.
async fn wide_window() -> (TestEnv, WorkerId) {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    submit(&env, &jobs(1_500, "noop", "")).await;
    assert_eq!(load(&env).await.offered, USUAL as u64);
    for size in [128, 256, 512, WIDEST] {
        let (newest, _) =
            offered(&env).await.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        // However slow this machine is.
        set_offered(&env, std::iter::once(&newest), "9000000000000").await;
        claimed(&env, &worker, id_of(&newest)).await;
        assert_eq!(load(&env).await.offered, size as u64);
    }
    (env, worker)
}

#[tokio::test]
async fn a_window_widens_while_a_group_is_alone_and_workers_are_fast() {
    let (env, _) = wide_window().await;
    assert_eq!(window(&env).await.as_deref(), Some("1024"));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_window_narrows_when_jobs_are_claimed_late() {
    let (env, worker) = wide_window().await;
    let all = offered(&env).await;
    set_offered(&env, all.keys(), "1000").await;
    for (member, size) in all.keys().zip(["512", "256", "128"]) {
        claimed(&env, &worker, id_of(member)).await;
        assert_eq!(window(&env).await.as_deref(), Some(size));
    }
    assert_eq!(load(&env).await.offered, WIDEST as u64 - 3, "none is offered meanwhile");
    claimed(&env, &worker, id_of(all.keys().nth(3).unwrap())).await;
    assert_eq!(window(&env).await, None);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn offers_beyond_the_usual_window_are_taken_back_when_another_group_has_a_job() {
    let (env, worker) = wide_window().await;
    let before = offered(&env).await;
    let mut other = job("noop", "");
    other.spec.fairness_key = Some("other".to_owned());
    submit(&env, std::slice::from_ref(&other)).await;
    assert_consistent(env.store()).await;
    assert_eq!(load(&env).await.offered, USUAL as u64 + 1);
    assert_eq!(window(&env).await, None);

    let now = offered(&env).await;
    let stay = |member: &&String| now.contains_key(*member);
    let newest_kept = before.iter().filter(|(member, _)| stay(member)).map(|(_, at)| *at);
    let newest_kept = newest_kept.fold(0.0, f64::max);
    let taken: Vec<&String> = before.keys().filter(|member| !stay(member)).collect();
    assert_eq!(taken.len(), WIDEST - USUAL);
    assert!(taken.iter().all(|member| before[*member] >= newest_kept), "the newest are taken back");

    let answer = claim(&env, &worker, id_of(taken[0])).await;
    assert_eq!(answer, ClaimAnswer::Refused(Status::Waiting), "its offer is void");
    claimed(&env, &worker, other.id).await;
    // The jobs that were taken back go on in their order.
    let oldest = now.keys().find(|member| id_of(member) != other.id).unwrap();
    claimed(&env, &worker, id_of(oldest)).await;
    assert!(offered(&env).await.contains_key(taken[0]), "it is offered again");
    assert_consistent(env.store()).await;
    env.close().await;
}
