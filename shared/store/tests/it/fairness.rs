//! Fairness groups and owners: how many of their jobs are ahead of others, and how the groups of one
//! owner take turns.

use std::collections::BTreeSet;

use domain::job::{Cancellation, JobId, NewJob, Timestamp};
use store::WaitPosition;
use testkit::{TestEnv, assert_consistent, jobs};
use uuid::Uuid;

use crate::calls::{claimed, dump, offers, worker};

/// How many jobs of a group are offered at a time.
const GROUP_WINDOW: usize = 64;
/// How many jobs of all groups of an owner that have a key are.
const KEYED_WINDOW: usize = 192;

/// Jobs of one owner, each with the fairness key of its index.
fn jobs_of(owner: &str, count: usize, key: impl Fn(usize) -> Option<String>) -> Vec<NewJob> {
    let mut jobs = jobs(count, "noop", "");
    for (index, job) in jobs.iter_mut().enumerate() {
        job.spec.scheduled_by = Some(owner.to_owned());
        job.spec.fairness_key = key(index);
    }
    jobs
}

async fn submit(env: &TestEnv, jobs: &[NewJob]) {
    env.store().submit_batch(Uuid::new_v4(), jobs).await.unwrap();
    assert_consistent(env.store()).await;
}

async fn offered(env: &TestEnv) -> Vec<JobId> {
    offers(env).await.into_iter().map(|(id, _)| id).collect()
}

async fn position(env: &TestEnv, id: JobId) -> WaitPosition {
    env.store().wait_position(&env.job(id).await).await.unwrap()
}

#[tokio::test]
async fn a_submitter_of_thousands_has_no_more_than_a_window_of_jobs_ahead_of_others() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let of = |key: &'static str, count| jobs_of("anna", count, |_| Some(key.to_owned()));
    let mut many = of("many", 1_000);
    for (at, job) in many.iter_mut().enumerate() {
        job.scheduled_at = Some(Timestamp::from_ms(at as i64));
    }
    submit(&env, &many).await;
    let few = of("few", 10);
    submit(&env, &few).await;
    let order = offered(&env).await;
    assert_eq!(order.len(), GROUP_WINDOW + 10);
    assert!(few.iter().all(|job| order.contains(&job.id)));
    let last = WaitPosition::Backlog { ahead: 999, turns: None };
    assert_eq!(position(&env, many[999].id).await, last);
    // Each job that starts makes room for the next of its group; in the end all were offered.
    for (number, job) in many.iter().enumerate() {
        claimed(&env, &worker, job.id).await;
        if number % 100 == 0 {
            assert_consistent(env.store()).await;
        }
    }
    assert_eq!(offered(&env).await.len(), 1_010);
    assert_consistent(env.store()).await;
    let mut later = of("many", 70);
    let far = Some(Timestamp::from_ms(253_402_300_000_000));
    later.iter_mut().for_each(|job| job.scheduled_at = far);
    submit(&env, &later).await;
    env.close().await;
}

#[tokio::test]
async fn an_owner_with_a_key_for_each_job_has_no_more_than_a_window_of_jobs_ahead_of_others() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let many = jobs_of("mallory", 1_000, |index| Some(format!("key {index}")));
    submit(&env, &many).await;
    let other = jobs_of("anna", 1, |_| None);
    submit(&env, &other).await;
    let order = offered(&env).await;
    assert_eq!(order.len(), KEYED_WINDOW + 1);
    assert_eq!(order.last(), Some(&other[0].id));
    let turn = WaitPosition::Backlog { ahead: 0, turns: Some(999 - KEYED_WINDOW as u64) };
    assert_eq!(position(&env, many[999].id).await, turn);
    let loads = env.store().queue_loads().await.unwrap();
    assert_eq!(loads[0].groups.behind, 1_000 - KEYED_WINDOW as u64);
    for job in &many {
        claimed(&env, &worker, job.id).await;
    }
    assert_eq!(offered(&env).await.len(), 1_001, "each job that starts makes room for the next");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_groups_of_an_owner_that_wait_for_room_are_offered_a_job_in_turn() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let large = jobs_of("anna", 300, |index| Some(["a", "b", "c"][index % 3].to_owned()));
    submit(&env, &large).await;
    let small = jobs_of("anna", 4, |index| Some(["d", "e"][index % 2].to_owned()));
    submit(&env, &small).await;
    assert_eq!(offered(&env).await.len(), KEYED_WINDOW, "three groups fill the window");
    let first = WaitPosition::Backlog { ahead: 0, turns: Some(0) };
    assert_eq!(position(&env, small[0].id).await, first);
    for job in large.iter().take(9) {
        claimed(&env, &worker, job.id).await;
        assert_consistent(env.store()).await;
    }
    let key = |id: &JobId| {
        let job = large.iter().chain(&small).find(|job| job.id == *id);
        job.and_then(|job| job.spec.fairness_key.clone()).unwrap()
    };
    let keys: Vec<String> = offered(&env).await.iter().skip(KEYED_WINDOW).map(key).collect();
    assert_eq!(keys, ["d", "e", "a", "d", "b", "e", "c", "a", "b"]);
    env.close().await;
}

#[tokio::test]
async fn the_same_key_of_another_owner_is_another_group() {
    let env = TestEnv::new().await;
    let same = |_| Some("tenant".to_owned());
    submit(&env, &jobs_of("mallory", 100, same)).await;
    submit(&env, &jobs_of("anna", 1, same)).await;
    submit(&env, &jobs_of("tenant", 1, |_| None)).await;
    assert_eq!(offered(&env).await.len(), GROUP_WINDOW + 2);
    env.close().await;
}

#[tokio::test]
async fn jobs_without_a_key_do_not_wait_for_those_with_one() {
    let env = TestEnv::new().await;
    submit(&env, &jobs_of("anna", 300, |index| Some(index.to_string()))).await;
    submit(&env, &jobs_of("anna", 100, |_| None)).await;
    assert_eq!(offered(&env).await.len(), KEYED_WINDOW + GROUP_WINDOW);
    env.close().await;
}

#[tokio::test]
async fn jobs_that_are_cancelled_before_their_turn_leave_nothing_behind() {
    let env = TestEnv::new().await;
    let many = jobs_of("anna", 400, |index| Some((index / 2).to_string()));
    submit(&env, &many).await;
    // Those that wait first: none of them gets a turn.
    for some in many.chunks(100).rev() {
        let ids: Vec<JobId> = some.iter().rev().map(|job| job.id).collect();
        env.store().cancel(&ids, &Cancellation::default()).await.unwrap();
        assert_consistent(env.store()).await;
    }
    let left: BTreeSet<String> = dump(&env).await.into_keys().collect();
    let waiting = ["ready:", "backlog:", "turns:", "offered"];
    let left: Vec<&String> =
        left.iter().filter(|key| waiting.iter().any(|start| key.starts_with(start))).collect();
    assert_eq!(left, Vec::<&String>::new());
    assert_eq!(offered(&env).await.len(), KEYED_WINDOW);
    env.close().await;
}
