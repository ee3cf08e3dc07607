//! submit, claim, due, and large batches.

use domain::job::{Cancellation, Status, Timestamp, WorkerId};
use store::{ClaimAnswer, ClaimRequest, Claims, StoreError, Submission};
use testkit::{TestEnv, assert_consistent, job, jobs, shared_queue};

use crate::calls::{claim, claimed, dump, end, finish, status, submit, worker};
use domain::job::Outcome;
use store::FinishAnswer;

#[tokio::test]
async fn a_submitted_job_is_in_every_index_and_in_the_outbox() {
    let env = TestEnv::new().await;
    let batch = jobs(3, "noop", "scan=1");
    let submitted = env.store().submit(&batch).await.unwrap();
    assert!(submitted.iter().all(|one| one.outcome == Submission::Created));
    let numbers: Vec<u64> = submitted.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let read = env.store().job(batch[0].id).await.unwrap().unwrap();
    assert_eq!((read.status, read.retry_from, read.attempt), (Status::Waiting, batch[0].id, 1));
    assert_eq!(read.spec, batch[0].spec);
    assert_eq!(env.store().ready_count(&shared_queue(&batch[0])).await.unwrap(), 3);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn submitting_a_job_again_changes_nothing() {
    let env = TestEnv::new().await;
    let one = job("noop", "scan=1");
    let first = env.store().submit(std::slice::from_ref(&one)).await.unwrap().remove(0);
    let before = dump(&env).await;
    let again = env.store().submit(std::slice::from_ref(&one)).await.unwrap().remove(0);
    assert_eq!(again.outcome, Submission::Known);
    assert_eq!((again.number, again.created_at), (first.number, first.created_at));
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_batch_that_needs_a_queue_too_many_is_refused_whole() {
    let env = TestEnv::new().await;
    let many: Vec<_> = (0..256).map(|index| job("noop", &format!("type{index}=1"))).collect();
    env.store().submit(&many).await.unwrap();
    let before = dump(&env).await;
    let batch = [job("noop", "type1=1"), job("noop", "onemore=1")];
    let refused = env.store().submit(&batch).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::TooManyQueues(queue) if queue == "onemore=1.normal"),
        "{refused}"
    );
    assert!(!refused.is_unavailable());
    assert_eq!(dump(&env).await, before);
    // The environment would otherwise delete 256 queues, which do not exist, one by one.
    env.store().remove_namespace().await.unwrap();
    env.close().await;
}

#[tokio::test]
async fn a_claim_gives_a_job_to_one_worker_and_each_claim_has_a_larger_token() {
    let env = TestEnv::new().await;
    let (first, second) = (worker(&env).await, worker(&env).await);
    let (one, two) = (job("noop", "scan=1"), job("noop", "scan=1"));
    submit(&env, &one).await;
    submit(&env, &two).await;
    let run = claimed(&env, &first, one.id).await;
    assert_eq!((run.id, run.attempt, &run.spec), (one.id, 1, &one.spec));
    let other = claimed(&env, &second, two.id).await;
    assert!(other.token > run.token);
    let before = dump(&env).await;
    assert_eq!(claim(&env, &second, one.id).await, ClaimAnswer::Refused(Status::Running));
    assert_eq!(dump(&env).await, before, "a refused claim changes nothing");
    let again = claimed(&env, &first, one.id).await;
    assert_eq!(again, run, "a repeated claim gets the same answer");
    assert_eq!(dump(&env).await, before);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn as_many_jobs_of_an_offer_are_claimed_as_the_worker_asks_for() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let batch = jobs(5, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let done = claimed(&env, &worker, batch[0].id).await;
    assert_eq!(
        finish(&env, &end(done.id, done.token, Outcome::Done(None))).await,
        FinishAnswer::Recorded(Status::Done)
    );
    let unknown = job("noop", "").id;
    let ids = vec![unknown, batch[0].id, batch[1].id, batch[2].id, batch[3].id];
    let requests = [ClaimRequest { max: 2, ids }, ClaimRequest { max: 1, ids: vec![batch[4].id] }];
    let Claims::Answered(lists) = env.store().claim(&worker, &requests).await.unwrap() else {
        panic!("the lease is good")
    };
    let words: Vec<Vec<&str>> = lists.iter().map(|list| list.iter().map(word).collect()).collect();
    assert_eq!(words, [vec!["gone", "refused", "claimed", "claimed"], vec!["claimed"]]);
    assert_eq!(
        status(&env, batch[3].id).await,
        Status::Waiting,
        "the third claimable job was not tried"
    );
    env.close().await;
}

fn word(answer: &ClaimAnswer) -> &'static str {
    match answer {
        ClaimAnswer::Claimed(_) => "claimed",
        ClaimAnswer::Gone => "gone",
        ClaimAnswer::Refused(_) => "refused",
        ClaimAnswer::Parked(_) => "parked",
        ClaimAnswer::Unreadable(..) => "unreadable",
        ClaimAnswer::Failed(_) => "failed",
    }
}

#[tokio::test]
async fn a_worker_without_a_lease_claims_nothing() {
    let env = TestEnv::new().await;
    let one = job("noop", "scan=1");
    submit(&env, &one).await;
    let before = dump(&env).await;
    let request = [ClaimRequest { max: 1, ids: vec![one.id] }];
    let stranger = WorkerId::random();
    assert_eq!(env.store().claim(&stranger, &request).await.unwrap(), Claims::LeaseLost);
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_job_due_later_is_offered_and_claimed_only_when_its_time_has_come() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut later = job("noop", "scan=1");
    later.scheduled_at = Some(Timestamp::from_ms(253_402_300_000_000));
    let mut past = job("noop", "scan=1");
    past.scheduled_at = Some(Timestamp::from_ms(1_000));
    submit(&env, &later).await;
    submit(&env, &past).await;
    let queue = shared_queue(&later);
    let ready = || env.store().ready_count(&queue);
    assert_eq!(ready().await.unwrap(), 1, "a time in the past is due now");
    assert_eq!(claim(&env, &worker, later.id).await, ClaimAnswer::Refused(Status::Waiting));
    let due = env.store().due().await.unwrap();
    assert_eq!(due.moved, 0);
    assert!(due.next.is_some());

    let mut soon = job("noop", "scan=1");
    let now = env.store().job(past.id).await.unwrap().unwrap().created_at;
    soon.scheduled_at = Some(Timestamp::from_ms(now.ms() + 150));
    submit(&env, &soon).await;
    env.eventually("the job is moved to the outbox", async || {
        // On a slow machine its time has come before it is submitted.
        env.store().due().await.unwrap();
        ready().await.unwrap() == 2
    })
    .await;
    claimed(&env, &worker, soon.id).await;
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_large_batch_is_accepted_whole_or_refused_whole() {
    let env = TestEnv::new().await;
    let batch = jobs(250, "noop", "scan=1");
    let submitted = env.store().submit_batch(uuid::Uuid::new_v4(), &batch).await.unwrap();
    assert_eq!((submitted.len(), submitted[249].number), (250, 250));
    assert_consistent(env.store()).await;
    let before = dump(&env).await;
    assert!(!before.keys().any(|key| key.starts_with("batch")), "the kept batch is removed");

    // The namespace may have 255 more queues.
    let mut refused: Vec<_> =
        (0..300).map(|index| job("noop", &format!("type{index}=1"))).collect();
    refused.push(job("noop", "scan=1"));
    assert!(matches!(
        env.store().submit_batch(uuid::Uuid::new_v4(), &refused).await,
        Err(StoreError::TooManyQueues(_))
    ));
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_batch_whose_submitter_died_is_finished_once() {
    let env = TestEnv::new().await;
    let batch = jobs(1_000, "noop", "scan=1");
    let (name, mut limit) = (uuid::Uuid::new_v4(), std::time::Duration::ZERO);
    // A submitter may die before it has kept the batch, which leaves nothing to finish: then
    // another one dies later.
    let died = loop {
        limit += std::time::Duration::from_millis(5);
        let submitting = env.store().submit_batch(name, &batch);
        let submitted = tokio::time::timeout(limit, submitting).await.is_ok();
        if submitted || dump(&env).await.contains_key("batches") {
            break !submitted;
        }
    };
    let waiting = async || env.store().counts().await.unwrap()[0].1;
    if died {
        env.eventually("a scheduler finishes the batch", async || {
            env.store().finish_batches(std::time::Duration::from_millis(5)).await.unwrap().0 == 1
        })
        .await;
    }
    assert_eq!(waiting().await, 1_000);
    assert_eq!(env.store().finish_batches(std::time::Duration::ZERO).await.unwrap().0, 0);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_claimed_before_it_was_moved_to_the_outbox_is_not_moved_any_more() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut soon = job("noop", "scan=1");
    let first = submit(&env, &job("noop", "scan=1")).await;
    let now = env.store().job(first).await.unwrap().unwrap().created_at;
    soon.scheduled_at = Some(Timestamp::from_ms(now.ms() + 50));
    submit(&env, &soon).await;
    env.eventually("the job is due", async || {
        matches!(claim(&env, &worker, soon.id).await, ClaimAnswer::Claimed(_))
    })
    .await;
    assert_consistent(env.store()).await;
    assert_eq!(env.store().due().await.unwrap().next, None);
    env.close().await;
}

#[tokio::test]
async fn a_repeated_submission_that_a_unique_key_kept_out_gets_the_same_answer() {
    let env = TestEnv::new().await;
    let (mut first, mut second) = (job("noop", ""), job("noop", ""));
    first.spec.unique_key = Some("one".into());
    second.spec.unique_key = Some("one".into());
    second.reserve_id = true;
    submit(&env, &first).await;
    let answer = env.store().submit(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!((answer[0].outcome, answer[0].id), (Submission::Taken, first.id));
    let before = dump(&env).await;
    let again = env.store().submit(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(again, answer, "a repeated submission gets the same answer");
    assert_eq!(dump(&env).await, before);
    // Also when the key is free again: a repeated submission creates nothing.
    env.store().cancel(&[first.id], &Cancellation::default()).await.unwrap();
    let again = env.store().submit(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!((again[0].outcome, again[0].id), (Submission::Taken, first.id));
    env.close().await;
}
