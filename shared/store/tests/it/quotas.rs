//! Quotas: what of one owner may wait, what is refused, and that counts go back to nothing.

use domain::job::{Cancellation, JobId, NewJob, Outcome};
use store::{Dumped, OwnerWaiting, Quota, QuotaExceeded, SettingsChanges, StoreError, Submission};
use testkit::{TestEnv, assert_consistent, jobs};
use uuid::Uuid;

use crate::batching::batched;
use crate::calls::{claimed, dump, end, finish, worker};

fn jobs_of(owner: &str, count: usize) -> Vec<NewJob> {
    let mut jobs = jobs(count, "noop", "scan=1");
    jobs.iter_mut().for_each(|job| job.spec.scheduled_by = Some(owner.to_owned()));
    jobs
}

fn spec_bytes(jobs: &[NewJob]) -> u64 {
    jobs.iter().map(|job| serde_json::to_string(&job.spec).unwrap().len() as u64).sum()
}

async fn set_quota(env: &TestEnv, jobs: Option<u64>, bytes: Option<u64>) {
    let changes = SettingsChanges {
        max_waiting_jobs: jobs,
        max_waiting_bytes: bytes,
        ..SettingsChanges::default()
    };
    env.store().change_settings(&changes).await.unwrap();
}

fn exceeded(error: StoreError) -> QuotaExceeded {
    assert!(!error.is_unavailable());
    let StoreError::QuotaExceeded(exceeded) = error else { panic!("{error}") };
    exceeded
}

#[tokio::test]
async fn an_owner_with_as_many_waiting_jobs_as_it_may_have_is_refused_and_others_are_not() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    set_quota(&env, Some(5), None).await;
    let first = jobs_of("anna", 4);
    env.store().submit(&first).await.unwrap();
    let before = dump(&env).await;
    let refused = exceeded(env.store().submit(&jobs_of("anna", 2)).await.unwrap_err());
    let owner = "anna".to_owned();
    assert_eq!(refused, QuotaExceeded { owner, quota: Quota::Jobs, waiting: 4, limit: 5 });
    assert_eq!(dump(&env).await, before);
    env.store().submit(&jobs_of("anna", 1)).await.unwrap();
    env.store().submit(&jobs_of("berta", 5)).await.unwrap();
    exceeded(env.store().submit(&jobs_of("anna", 1)).await.unwrap_err());
    // A repeated submission creates nothing.
    env.store().submit(&first).await.unwrap();
    // A job that starts makes room, and its retry is never refused.
    let run = claimed(&env, &worker, first[0].id).await;
    env.store().submit(&jobs_of("anna", 1)).await.unwrap();
    finish(&env, &end(run.id, run.token, Outcome::Shutdown)).await;
    let waiting = env.store().waiting_by_owner().await.unwrap();
    let jobs: Vec<(&str, u64)> =
        waiting.iter().map(|waiting| (waiting.owner.as_str(), waiting.jobs)).collect();
    assert_eq!(jobs, [("anna", 6), ("berta", 5)]);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn an_owner_with_as_many_waiting_bytes_as_it_may_have_is_refused() {
    let env = TestEnv::new().await;
    let mut jobs = jobs_of("anna", 3);
    jobs[2].spec.comment = Some("x".repeat(200));
    let limit = spec_bytes(&jobs) - 1;
    set_quota(&env, None, Some(limit)).await;
    let owner = "anna".to_owned();
    let refused = exceeded(env.store().submit(&jobs).await.unwrap_err());
    assert_eq!(refused, QuotaExceeded { owner, quota: Quota::Bytes, waiting: 0, limit });
    env.store().submit(&jobs[..2]).await.unwrap();
    let bytes = spec_bytes(&jobs[..2]);
    let waiting = env.store().waiting_by_owner().await.unwrap();
    assert_eq!(waiting, [OwnerWaiting { owner: "anna".to_owned(), jobs: 2, bytes }]);
    set_quota(&env, None, Some(0)).await;
    env.store().submit(&jobs[2..]).await.unwrap();
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_large_batch_beyond_the_quota_is_refused_whole_and_a_kept_one_is_finished() {
    let env = TestEnv::new().await;
    set_quota(&env, Some(250), None).await;
    let before = dump(&env).await;
    let batch = jobs_of("anna", 251);
    exceeded(env.store().submit_batch(Uuid::new_v4(), &batch).await.unwrap_err());
    assert_eq!(dump(&env).await, before);
    let id = Uuid::new_v4();
    env.store().submit_batch(id, &batch[..250]).await.unwrap();
    exceeded(env.store().submit_batch(Uuid::new_v4(), &jobs_of("anna", 101)).await.unwrap_err());
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_retry_by_hand_counts_towards_the_quota_of_the_job() {
    let env = TestEnv::new().await;
    let batch = jobs_of("anna", 2);
    env.store().submit(&batch).await.unwrap();
    let ids: Vec<JobId> = batch.iter().map(|job| job.id).collect();
    env.store().cancel(&ids, &Cancellation::default()).await.unwrap();
    set_quota(&env, Some(1), None).await;
    env.store().retry(ids[0], JobId::random()).await.unwrap();
    let before = dump(&env).await;
    exceeded(env.store().retry(ids[1], JobId::random()).await.unwrap_err());
    assert_eq!(dump(&env).await, before);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn nothing_is_counted_when_nothing_waits() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let batch = jobs_of("anna", 70);
    env.store().submit(&batch).await.unwrap();
    for job in &batch[..10] {
        claimed(&env, &worker, job.id).await;
    }
    let Some(Dumped::Hash(counts)) = dump(&env).await.remove("waiting") else { panic!() };
    assert_eq!(counts["jobs:anna"], "60");
    let ids: Vec<JobId> = batch.iter().map(|job| job.id).collect();
    env.store().cancel(&ids, &Cancellation::default()).await.unwrap();
    assert!(!dump(&env).await.contains_key("waiting"));
    assert_consistent(env.store()).await;
    env.close().await;
}

/// Has room for the jobs and so many bytes more, refuses the next one, and takes it with one byte
/// more.
async fn takes_exactly(env: &TestEnv, next: &NewJob, bytes: u64) {
    let waiting = env.store().waiting_by_owner().await.unwrap()[0].clone();
    set_quota(env, Some(waiting.jobs), Some(waiting.bytes + bytes - 1)).await;
    let before = dump(env).await;
    exceeded(env.store().submit(std::slice::from_ref(next)).await.unwrap_err());
    assert_eq!(dump(env).await, before);
    set_quota(env, Some(waiting.jobs), Some(waiting.bytes + bytes)).await;
    env.store().submit(std::slice::from_ref(next)).await.unwrap();
    // It is a repeated call now.
    env.store().submit(std::slice::from_ref(next)).await.unwrap();
    let after = env.store().waiting_by_owner().await.unwrap()[0].clone();
    assert_eq!((after.jobs, after.bytes), (waiting.jobs, waiting.bytes + bytes));
    assert_consistent(env.store()).await;
}

#[tokio::test]
async fn a_submission_that_joins_a_batch_counts_by_its_bytes_and_one_that_begins_one_as_a_job() {
    let env = TestEnv::new().await;
    let batched = |n: u32| {
        let mut new = batched(n, 3);
        new.spec.scheduled_by = Some("anna".to_owned());
        new
    };
    env.store().submit(&[batched(1)]).await.unwrap();
    takes_exactly(&env, &batched(2), 8).await;
    // One more fills the batch, and the next one begins another.
    set_quota(&env, Some(1), Some(0)).await;
    let before = dump(&env).await;
    exceeded(env.store().submit(&[batched(3), batched(4)]).await.unwrap_err());
    assert_eq!(dump(&env).await, before);
    set_quota(&env, Some(2), None).await;
    env.store().submit(&[3, 4, 5, 6].map(batched)).await.unwrap();
    exceeded(env.store().submit(&[batched(7)]).await.unwrap_err());
    env.close().await;
}

#[tokio::test]
async fn a_debounced_submission_counts_by_the_bytes_that_it_has_more() {
    let env = TestEnv::new().await;
    let debounced = |characters: usize| {
        let mut new = jobs_of("anna", 1).remove(0);
        new.spec.unique_key = Some("one".to_owned());
        new.spec.debounce = "1h".parse().unwrap();
        new.spec.comment = Some("x".repeat(characters));
        new
    };
    env.store().submit(&[debounced(100)]).await.unwrap();
    takes_exactly(&env, &debounced(120), 20).await;
    // One that is smaller is not refused, whatever waits.
    set_quota(&env, Some(1), Some(1)).await;
    let smaller = [debounced(200), debounced(90)];
    assert_eq!(env.store().submit(&smaller).await.unwrap()[1].outcome, Submission::Replaced);
    assert_consistent(env.store()).await;
    env.close().await;
}
