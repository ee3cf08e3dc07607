//! Bulk operations: one process at a time carries one out, another goes on where it stopped, and a
//! walk finds every matching job while jobs leave its indexes.

use std::collections::BTreeSet;

use domain::job::{Cancellation, JobId, Status};
use store::{
    BulkBegun, BulkProgress, BulkSpec, BulkState, BulkVerb, JobFilter, MAX_BULK_OPERATIONS,
    SaveAnswer, StopAnswer,
};
use testkit::{TestEnv, jobs};
use uuid::Uuid;

use crate::calls::dump;

fn spec() -> BulkSpec {
    BulkSpec {
        verb: BulkVerb::Cancel,
        filter: JobFilter { statuses: vec![Status::Waiting], ..JobFilter::default() },
        requested_by: "ci".to_owned(),
        may_change_deliveries: false,
    }
}

async fn begun(env: &TestEnv) -> Uuid {
    let id = Uuid::new_v4();
    assert_eq!(env.store().begin_bulk(id, &spec()).await.unwrap(), BulkBegun::Begun);
    id
}

/// Ends the claim of a process, as if it had died a while ago.
async fn end_claim(env: &TestEnv, id: Uuid) {
    env.redis("hset", &format!("bulk:{id}"), &["claimedUntil", "1"]).await;
}

#[tokio::test]
async fn an_operation_has_one_owner_until_its_claim_ends() {
    let env = TestEnv::new().await;
    let (store, id) = (env.store(), begun(&env).await);
    let running = SaveAnswer::Own(BulkState::Running);
    assert_eq!(store.running_bulk().await.unwrap(), [id]);
    assert_eq!(store.claim_bulk(id, "a").await.unwrap(), running);
    assert_eq!(store.claim_bulk(id, "b").await.unwrap(), SaveAnswer::Claimed);
    let some = BulkProgress { changed: 3, pending: vec![JobId::random()], ..Default::default() };
    assert_eq!(store.save_bulk(id, "a", &some, false).await.unwrap(), running);

    end_claim(&env, id).await;
    assert_eq!(store.claim_bulk(id, "b").await.unwrap(), running);
    let found = store.bulk_operation(id).await.unwrap().unwrap();
    assert_eq!((found.progress, found.state, found.spec), (some, BulkState::Running, spec()));

    let before = dump(&env).await;
    let late = BulkProgress { changed: 9, ..Default::default() };
    assert_eq!(store.save_bulk(id, "a", &late, true).await.unwrap(), SaveAnswer::Claimed);
    assert_eq!(dump(&env).await, before, "a refusal changes nothing");

    let all = BulkProgress { changed: 5, ..Default::default() };
    let done = SaveAnswer::Own(BulkState::Done);
    assert_eq!(store.save_bulk(id, "b", &all, true).await.unwrap(), done);
    assert_eq!(store.claim_bulk(id, "a").await.unwrap(), SaveAnswer::Claimed);
    assert!(store.running_bulk().await.unwrap().is_empty());
    let found = store.bulk_operation(id).await.unwrap().unwrap();
    assert!(found.finished_at.is_some() && found.progress == all, "{found:?}");
    assert_eq!(store.claim_bulk(Uuid::new_v4(), "a").await.unwrap(), SaveAnswer::Gone);
    env.close().await;
}

#[tokio::test]
async fn a_stopped_operation_keeps_the_counts_of_its_last_step() {
    let env = TestEnv::new().await;
    let (store, id) = (env.store(), begun(&env).await);
    store.claim_bulk(id, "a").await.unwrap();
    assert_eq!(store.stop_bulk(id, "me").await.unwrap(), StopAnswer::Stopped);
    let last = BulkProgress { changed: 7, ..Default::default() };
    let stopped = SaveAnswer::Own(BulkState::Stopped);
    assert_eq!(store.save_bulk(id, "a", &last, false).await.unwrap(), stopped);
    assert_eq!(store.save_bulk(id, "a", &last, true).await.unwrap(), stopped);
    let found = store.bulk_operation(id).await.unwrap().unwrap();
    assert_eq!((found.state, found.stopped_by.as_deref()), (BulkState::Stopped, Some("me")));
    assert_eq!(found.progress, last);
    let before = dump(&env).await;
    let again = store.stop_bulk(id, "you").await.unwrap();
    assert_eq!(again, StopAnswer::Already(BulkState::Stopped));
    assert_eq!(store.stop_bulk(Uuid::new_v4(), "me").await.unwrap(), StopAnswer::Gone);
    assert_eq!(dump(&env).await, before, "a refusal changes nothing");
    env.close().await;
}

#[tokio::test]
async fn the_oldest_ended_operation_makes_room_and_running_ones_do_not() {
    let env = TestEnv::new().await;
    let store = env.store();
    let mut ids = Vec::new();
    for _ in 0..MAX_BULK_OPERATIONS {
        ids.push(begun(&env).await);
    }
    let before = dump(&env).await;
    let refused = store.begin_bulk(Uuid::new_v4(), &spec()).await.unwrap();
    assert_eq!(refused, BulkBegun::TooMany);
    assert_eq!(dump(&env).await, before, "a refusal changes nothing");

    store.stop_bulk(ids[7], "me").await.unwrap();
    let new = begun(&env).await;
    assert_eq!(store.bulk_operation(ids[7]).await.unwrap(), None);
    let kept = store.bulk_operations().await.unwrap();
    let (kept_ids, most) = (kept.iter().map(|one| one.id), MAX_BULK_OPERATIONS as usize);
    let mut expected: BTreeSet<Uuid> = ids.into_iter().chain([new]).collect();
    expected.retain(|id| kept_ids.clone().any(|kept| kept == *id));
    assert_eq!((kept.len(), expected.len()), (most, most));
    env.close().await;
}

/// Jobs of one moment and of several, half of which leave the index between two steps.
#[tokio::test]
async fn a_walk_finds_every_matching_job_while_others_leave_its_index() {
    let env = TestEnv::new().await;
    let store = env.store();
    let mut all = jobs(1_600, "noop", "");
    for (index, job) in all.iter_mut().enumerate() {
        let at = if index < 1_200 { 1 } else { index as i64 };
        job.scheduled_at = Some(domain::job::Timestamp::from_ms(at * 1_000));
    }
    for some in all.chunks(400) {
        store.submit(some).await.unwrap();
    }
    let filter = JobFilter {
        action: Some("noop".parse().unwrap()),
        statuses: vec![Status::Waiting, Status::Cancel],
        ..JobFilter::default()
    };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let step = store.bulk_step(&filter, cursor).await.unwrap();
        let ids: Vec<JobId> = step.jobs.iter().map(|job| job.id).collect();
        let why = Cancellation { by: String::new(), reason: String::new() };
        // Cancelled jobs change from one index of the walk to another, deleted ones leave both.
        store.cancel(&ids[..ids.len() / 2], &why).await.unwrap();
        for id in &ids[ids.len() / 2..] {
            store.delete(*id).await.unwrap();
        }
        found.extend(ids);
        cursor = step.next;
        if cursor.is_none() {
            break;
        }
    }
    let distinct: BTreeSet<JobId> = found.iter().copied().collect();
    assert_eq!((found.len(), distinct.len()), (1_600, 1_600));
    env.close().await;
}
