//! Batched submissions: one job with a list of parameters, until it is due or full.

use std::collections::BTreeSet;

use domain::job::{Cancellation, Job, JobId, NewJob, Outcome, Priority, Timestamp};
use serde_json::{Value, json};
use store::{Dumped, JobChange, Submission, Submitted};
use testkit::{TestEnv, assert_consistent, job};
use uuid::Uuid;

use crate::calls::{claimed, dump, end, finish, offers, submit, worker};

/// A submission with a parameter, to a batch of at most `size` jobs that waits for an hour.
pub(crate) fn batched(n: impl Into<Value>, size: u32) -> NewJob {
    let mut new = job("noop", "scan=1");
    new.spec.parameters = json!({"n": n.into()}).as_object().cloned();
    new.spec.begin_batch();
    (new.spec.batch_key, new.spec.batch_size) = (Some("one".to_owned()), size);
    new.spec.batch_wait = "1h".parse().unwrap();
    new
}

async fn submitted(env: &TestEnv, new: &NewJob) -> Submitted {
    env.store().submit(std::slice::from_ref(new)).await.unwrap().remove(0)
}

async fn read(env: &TestEnv, id: JobId) -> Job {
    env.store().job(id).await.unwrap().unwrap()
}

/// The parameters `n` of the submissions of a job, in their order.
async fn list(env: &TestEnv, id: JobId) -> Vec<Value> {
    let job = read(env, id).await;
    let list = json!(job.spec.parameters)["batch"].as_array().unwrap().clone();
    assert_eq!(list.len(), job.spec.batched());
    list.into_iter().map(|one| one["n"].clone()).collect()
}

#[tokio::test]
async fn submissions_join_a_job_until_it_is_full_and_due_at_once() {
    let env = TestEnv::new().await;
    let first = batched(1, 3);
    let created = submitted(&env, &first).await;
    assert_eq!(created.outcome, Submission::Created);
    assert_eq!(created.scheduled_at.ms() - created.created_at.ms(), 3_600_000);
    let joined = submitted(&env, &batched("\"}],é", 3)).await;
    assert_eq!(joined, Submitted { outcome: Submission::Joined, ..created.clone() });
    assert_eq!(offers(&env).await, []);
    assert_consistent(env.store()).await;

    let last = submitted(&env, &batched(json!({"batch": [1.5, {}]}), 3)).await;
    assert_eq!((last.outcome, last.id), (Submission::Joined, first.id));
    assert!(last.scheduled_at < created.scheduled_at, "it is due");
    assert_eq!(offers(&env).await.len(), 1);
    let expected = [json!(1), json!("\"}],é"), json!({"batch": [1.5, {}]})];
    assert_eq!(list(&env, first.id).await, expected);
    assert_consistent(env.store()).await;

    let next = batched(4, 3);
    assert_eq!(submitted(&env, &next).await.outcome, Submission::Created);
    assert_eq!(list(&env, next.id).await, [json!(4)]);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_call_fills_as_many_batches_as_its_submissions_need() {
    let env = TestEnv::new().await;
    let some: Vec<NewJob> = (0..5).map(|n| batched(n, 2)).collect();
    let answers = env.store().submit(&some).await.unwrap();
    let ids: Vec<JobId> = answers.iter().map(|answer| answer.id).collect();
    assert_eq!(ids, [0, 0, 2, 2, 4].map(|index: usize| some[index].id));
    assert_eq!(list(&env, some[2].id).await, [json!(2), json!(3)]);
    assert_consistent(env.store()).await;

    // The same for a large batch of jobs, whose steps may be repeated.
    let many: Vec<NewJob> = (0..250).map(|n| batched(n, 100)).collect();
    let id = Uuid::new_v4();
    let answers = env.store().submit_batch(id, &many).await.unwrap();
    let before = dump(&env).await;
    let again = env.store().submit_batch(id, &many).await.unwrap();
    let ids = |answers: &[Submitted]| answers.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&answers));
    assert_eq!(dump(&env).await, before);
    for (index, count) in [(0, 100), (100, 100), (200, 50)] {
        let numbers: Vec<Value> = (index..index + count).map(Value::from).collect();
        assert_eq!(list(&env, many[index].id).await, numbers);
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_repeated_call_of_a_batched_submission_adds_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut all: Vec<NewJob> = (1..=4).map(|n| batched(n, 4)).collect();
    all[2].reserve_id = true;
    let unchanged = async |repeated: &[NewJob], job: JobId| {
        let before = dump(&env).await;
        for one in repeated {
            assert_eq!(submitted(&env, one).await.id, job);
        }
        assert_eq!(env.store().submit(repeated).await.unwrap().len(), repeated.len());
        assert_eq!(dump(&env).await, before);
    };
    for until in 0..all.len() {
        submitted(&env, &all[until]).await;
        unchanged(&all[..=until], all[0].id).await;
    }
    let run = claimed(&env, &worker, all[0].id).await;
    unchanged(&all, all[0].id).await;
    finish(&env, &end(run.id, run.token, Outcome::Done(None))).await;
    unchanged(&all, all[0].id).await;
    submitted(&env, &batched(5, 4)).await;
    unchanged(&all, all[0].id).await;
    assert_eq!(list(&env, all[0].id).await, [1, 2, 3, 4].map(Value::from));
    env.close().await;
}

#[tokio::test]
async fn a_submission_that_differs_in_more_than_its_parameters_begins_a_batch_of_its_own() {
    let env = TestEnv::new().await;
    let changes: [fn(&mut NewJob); 8] = [
        |_| (),
        |job| job.spec.batch_key = Some("two".to_owned()),
        |job| job.spec.action = "sleep".parse().unwrap(),
        |job| job.spec.scheduled_by = Some("anna".to_owned()),
        |job| job.spec.locks = "device-sw1".parse().unwrap(),
        |job| job.spec.priority = Priority::High,
        |job| job.spec.batch_size = 4,
        |job| job.class = "scan=2".to_owned().try_into().unwrap(),
    ];
    let mut ids = BTreeSet::new();
    for n in 0..2 {
        for change in changes {
            let mut new = batched(n, 3);
            change(&mut new);
            ids.insert(submitted(&env, &new).await.id);
        }
    }
    assert_eq!(ids.len(), changes.len());
    for id in ids {
        assert_eq!(list(&env, id).await, [json!(0), json!(1)]);
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_batch_that_is_due_put_off_cancelled_or_carried_on_is_not_joined() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let begins = async |n: u32| {
        let new = batched(n, 3);
        assert_eq!(submitted(&env, &new).await.outcome, Submission::Created);
        assert_consistent(env.store()).await;
        new.id
    };
    let at = async |id: JobId, ms: i64| {
        let at = Timestamp::from_ms(env.store().now().await.unwrap().ms() + ms);
        let change = JobChange { scheduled_at: Some(at), ..JobChange::default() };
        env.store().change(id, change).await.unwrap();
    };
    at(begins(1).await, 7_200_000).await;
    let due = begins(2).await;
    at(due, 0).await;
    let cancelled = begins(3).await;
    env.store().cancel(&[cancelled], &Cancellation::default()).await.unwrap();
    let deleted = begins(4).await;
    env.store().delete(deleted).await.unwrap();
    let run = claimed(&env, &worker, due).await;
    let open = begins(5).await;
    // Its follow-up has the list.
    let ended = end(due, run.token, Outcome::Shutdown);
    finish(&env, &ended).await;
    assert_eq!(list(&env, ended.follow_up).await, [json!(2)]);
    assert_eq!(submitted(&env, &batched(6, 3)).await.id, open);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_batch_that_was_not_full_in_its_time_is_due_with_what_it_has() {
    let env = TestEnv::new().await;
    let brief = |n: u32| {
        let mut new = batched(n, 3);
        new.spec.batch_wait = "1ms".parse().unwrap();
        new
    };
    let first = submitted(&env, &brief(1)).await;
    while env.store().now().await.unwrap() <= first.scheduled_at {}
    assert_eq!(submitted(&env, &brief(2)).await.outcome, Submission::Created);
    while env.store().now().await.unwrap() <= first.scheduled_at {}
    env.store().due().await.unwrap();
    assert!(offers(&env).await.iter().any(|(id, _)| *id == first.id));
    env.close().await;
}

#[tokio::test]
async fn a_batch_has_at_most_as_many_bytes_as_the_parameters_of_a_job() {
    let env = TestEnv::new().await;
    let large = |bytes: usize| batched("x".repeat(bytes), 10);
    let first = large(30_000);
    submitted(&env, &first).await;
    // Each has `{"n":""}` around its text, and the list has `{"batch":[,]}`.
    let most = 64 * 1024 - 30_000 - 8 - 8 - 13;
    let over = large(most + 1);
    let answer = submitted(&env, &over).await;
    assert_eq!((answer.outcome, answer.id), (Submission::Created, over.id));
    assert_eq!(offers(&env).await.len(), 1, "the first has no room and is due");
    assert_eq!(read(&env, first.id).await.spec.batched(), 1);
    assert_consistent(env.store()).await;

    let mut other = [large(30_000), large(most)];
    other.iter_mut().for_each(|job| job.spec.batch_key = Some("two".to_owned()));
    submitted(&env, &other[0]).await;
    assert_eq!(submitted(&env, &other[1]).await.id, other[0].id);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_change_of_priority_keeps_what_joins_meanwhile() {
    let env = TestEnv::new().await;
    let first = batched(0, 1_000);
    submitted(&env, &first).await;
    let join = async {
        for n in 1..100 {
            assert_eq!(submitted(&env, &batched(n, 1_000)).await.id, first.id);
        }
    };
    let change = async |priority: Priority| {
        let change = JobChange { priority: Some(priority), ..JobChange::default() };
        for _ in 0..50 {
            // It gives up if something joins between each reading and writing.
            let _ = env.store().change(first.id, change).await;
        }
    };
    tokio::join!(join, change(Priority::High), change(Priority::Low), change(Priority::Normal));
    assert_eq!(list(&env, first.id).await, (0..100).map(Value::from).collect::<Vec<_>>());
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_can_depend_on_a_submission_that_joined_a_batch() {
    let env = TestEnv::new().await;
    let first = batched(1, 3);
    submitted(&env, &first).await;
    let joined = batched(2, 3);
    let mut dependent = job("noop", "scan=1");
    dependent.spec.depends_on = vec![joined.id];
    env.store().submit(&[joined, dependent.clone()]).await.unwrap();
    assert!(read(&env, dependent.id).await.awaits_dependencies);
    assert_eq!(read(&env, first.id).await.next, Some(dependent.id));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn the_key_of_an_open_batch_outlives_its_job_and_an_unreadable_job_is_not_joined() {
    let env = TestEnv::new().await;
    let id = submit(&env, &batched(1, 4)).await;
    submit(&env, &batched(2, 4)).await;
    let all = dump(&env).await;
    let (key, state) = all.iter().find(|(key, _)| key.starts_with("batching:")).unwrap();
    assert_eq!(state, &Dumped::Text(format!("{id} 2 15")));
    let ttl: u64 = env.redis("pttl", key, &[]).await.trim().parse().unwrap();
    assert!((3_600_000..=3_660_000).contains(&ttl), "{ttl}");
    env.redis("hset", &format!("job:{id}"), &["spec", "{}"]).await;
    assert_eq!(submitted(&env, &batched(3, 4)).await.outcome, Submission::Created);
    env.close().await;
}
