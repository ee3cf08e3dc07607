//! The limits of queues: what is refused, what waits until there is room, and that the two kinds of
//! queues are counted apart.

use std::time::Duration;

use domain::job::{Cancellation, JobId, NewJob, Outcome, Status};
use store::{ClaimAnswer, JobChange, StoreError, WaitPosition};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{
    claim, claimed, dump, end, finish, queue_of, redis_cli, submit, worker_that_knows,
};

const SHARED_QUEUES: usize = 256;
const ACTION_QUEUES: usize = 1_024;

/// Puts so many more queues in use that there is no room for another one of this kind. They were
/// used long ago.
async fn crowd(env: &TestEnv, kind: &str, most: usize) {
    let action = if kind == "action_queues" { "@noop" } else { "" };
    let names = env.store().queue_names().await.unwrap();
    let used = names.iter().filter(|name| name.action.is_some() != action.is_empty()).count();
    let fillers = (used..most).map(|index| format!("queue:filler{index}=1{action}.normal"));
    let fields = fillers.flat_map(|field| [field, "1".to_owned()]);
    let fields = fields.chain([kind.to_owned(), most.to_string()]);
    let key = format!("{{{}}}:routing", env.store_config().namespace);
    let command = ["hset".to_owned(), key].into_iter().chain(fields);
    redis_cli(&env.store_config().redis_url, command).await;
    assert_consistent(env.store()).await;
}

/// Lets a job that waits for room be due now instead of in five seconds.
async fn make_due(env: &TestEnv, id: JobId) {
    let job = env.job(id).await;
    let (at, member) = (job.scheduled_at.ms().to_string(), format!("{:016}:{id}", job.number));
    let key = format!("{{{}}}:due", env.store_config().namespace);
    let command = ["zadd", key.as_str(), "xx", "ch", &at, &member].map(str::to_owned);
    assert_eq!(redis_cli(&env.store_config().redis_url, command).await.trim(), "1");
}

/// Removes the keys first: closing would delete hundreds of queues, which do not exist, one by one.
async fn close(env: TestEnv) {
    env.store().remove_namespace().await.unwrap();
    env.close().await;
}

fn refused(error: &StoreError, queue: &str) {
    assert!(matches!(error, StoreError::TooManyQueues(name) if name == queue), "{error}");
    assert!(error.to_string().contains(queue), "{error}");
    assert!(!error.is_unavailable());
}

#[tokio::test]
async fn the_first_shared_queue_beyond_the_limit_is_refused_by_name() {
    let env = TestEnv::new().await;
    let kinds: Vec<NewJob> =
        (0..SHARED_QUEUES).map(|index| job("noop", &format!("type{index}=1"))).collect();
    env.store().submit(&kinds).await.unwrap();
    let before = dump(&env).await;
    let batch = [job("noop", "type1=1"), job("noop", "more=1"), job("noop", "most=1")];
    refused(&env.store().submit(&batch).await.unwrap_err(), "more=1.normal");
    assert_eq!(dump(&env).await, before);
    // A job of an action that not all know does not count towards this limit.
    worker_that_knows(&env, &["noop"]).await;
    let own = submit(&env, &job("sleep", "more=1")).await;
    assert_eq!(queue_of(&env, own).await, "more=1@sleep.normal");
    assert_consistent(env.store()).await;
    close(env).await;
}

#[tokio::test]
async fn one_submitter_can_put_half_of_the_queues_in_use_and_others_the_rest() {
    let env = TestEnv::new().await;
    let of = |owner: &str, index: usize| {
        let mut job = job("noop", &format!("type{index}=1"));
        job.spec.scheduled_by = Some(owner.to_owned());
        job
    };
    let half = SHARED_QUEUES / 2;
    let kinds: Vec<NewJob> = (0..half).map(|index| of("mallory", index)).collect();
    env.store().submit(&kinds).await.unwrap();
    let before = dump(&env).await;
    let more = of("mallory", half);
    refused(&env.store().submit(&[more]).await.unwrap_err(), &format!("type{half}=1.normal"));
    assert_eq!(dump(&env).await, before);
    submit(&env, &of("anna", half)).await;
    submit(&env, &of("mallory", half)).await;
    assert_consistent(env.store()).await;
    let unused = "type0=1.normal".parse().unwrap();
    env.store().cancel(&[kinds[0].id], &Cancellation::default()).await.unwrap();
    assert!(env.store().retire_queue(&unused, Duration::ZERO).await.unwrap());
    submit(&env, &of("mallory", half + 1)).await;
    assert_consistent(env.store()).await;
    close(env).await;
}

#[tokio::test]
async fn the_first_action_queue_beyond_the_limit_is_refused_by_name() {
    let env = TestEnv::new().await;
    worker_that_knows(&env, &["noop"]).await;
    let kinds: Vec<NewJob> =
        (0..ACTION_QUEUES).map(|index| job("sleep", &format!("type{index}=1"))).collect();
    env.store().submit(&kinds).await.unwrap();
    let before = dump(&env).await;
    let batch = [job("sleep", "type1=1"), job("sleep", "more=1")];
    refused(&env.store().submit(&batch).await.unwrap_err(), "more=1@sleep.normal");
    let change = JobChange { priority: Some(domain::job::Priority::High), scheduled_at: None };
    refused(&env.store().change(kinds[7].id, change).await.unwrap_err(), "type7=1@sleep.high");
    assert_eq!(dump(&env).await, before);
    let shared = submit(&env, &job("noop", "more=1")).await;
    assert_eq!(queue_of(&env, shared).await, "more=1.normal", "the kinds are counted apart");
    assert_consistent(env.store()).await;
    close(env).await;
}

#[tokio::test]
async fn a_job_whose_queue_has_no_room_when_it_is_due_is_tried_again_until_there_is_room() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &["noop"]).await;
    let (on, mut later) = (submit(&env, &job("noop", "other=1")).await, job("noop", "scan=1"));
    later.spec.depends_on = vec![on];
    let later = submit(&env, &later).await;
    let scan = "scan=1.normal".parse().unwrap();
    assert!(env.store().retire_queue(&scan, Duration::ZERO).await.unwrap());
    crowd(&env, "shared_queues", SHARED_QUEUES).await;
    let run = claimed(&env, &able, on).await;
    finish(&env, &end(on, run.token, Outcome::Done(None))).await;
    for _ in 0..3 {
        assert_eq!(env.store().due().await.unwrap().moved, 0, "it waits for some seconds");
        let position = env.store().wait_position(&env.job(later).await).await.unwrap();
        assert_eq!(position, WaitPosition::Queue);
        assert_consistent(env.store()).await;
        make_due(&env, later).await;
        assert_eq!(env.store().due().await.unwrap().moved, 1);
    }
    make_due(&env, later).await;
    let filler = "filler9=1.normal".parse().unwrap();
    assert!(env.store().retire_queue(&filler, Duration::from_secs(600)).await.unwrap());
    assert_eq!(env.store().due().await.unwrap().moved, 1);
    assert_eq!(queue_of(&env, later).await, "scan=1.normal");
    assert_eq!(env.store().due().await.unwrap().moved, 0);
    assert_consistent(env.store()).await;
    close(env).await;
}

#[tokio::test]
async fn a_job_that_moves_to_a_queue_without_room_waits_for_room_and_frees_its_lock() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &["noop", "sleep"]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut locking = job("sleep", "scan=1");
        locking.spec.locks = "a=1".parse().unwrap();
        ids.push(submit(&env, &locking).await);
    }
    let run = claimed(&env, &able, ids[0]).await;
    for id in &ids[1..] {
        assert!(matches!(claim(&env, &able, *id).await, ClaimAnswer::Parked(_)));
    }
    finish(&env, &end(ids[0], run.token, Outcome::Done(None))).await;
    let joins = worker_that_knows(&env, &["noop"]).await;
    crowd(&env, "action_queues", ACTION_QUEUES).await;
    assert_eq!(claim(&env, &joins, ids[1]).await, ClaimAnswer::Refused(Status::Waiting));
    assert_consistent(env.store()).await;
    let position = env.store().wait_position(&env.job(ids[1]).await).await.unwrap();
    assert_eq!(position, WaitPosition::Queue);
    // The next waiter is granted the lock instead, and can run.
    let run = claimed(&env, &able, ids[2]).await;
    finish(&env, &end(ids[2], run.token, Outcome::Done(None))).await;
    let filler = "filler9=1@noop.normal".parse().unwrap();
    assert!(env.store().retire_queue(&filler, Duration::from_secs(600)).await.unwrap());
    make_due(&env, ids[1]).await;
    assert_eq!(env.store().due().await.unwrap().moved, 1);
    assert_eq!(queue_of(&env, ids[1]).await, "scan=1@sleep.normal");
    claimed(&env, &able, ids[1]).await;
    assert_consistent(env.store()).await;
    close(env).await;
}

#[tokio::test]
async fn a_kept_batch_is_submitted_even_when_its_queues_have_no_room_by_then() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &["noop"]).await;
    let batch = jobs(250, "noop", "scan=1");
    let root = format!("{{{}}}:", env.store_config().namespace);
    let kept = serde_json::to_string(&batch).unwrap();
    let id = uuid::Uuid::new_v4();
    // As an API leaves it that dies after it has answered 202.
    for command in [
        vec!["set".to_owned(), format!("{root}batch:{id}"), kept],
        vec!["zadd".to_owned(), format!("{root}batches"), "1".to_owned(), id.to_string()],
    ] {
        redis_cli(&env.store_config().redis_url, command).await;
    }
    worker_that_knows(&env, &[]).await;
    crowd(&env, "action_queues", ACTION_QUEUES).await;
    assert_eq!(env.store().finish_batches(Duration::ZERO).await.unwrap().0, 1);
    assert_eq!(env.store().counts().await.unwrap()[0], (Status::Waiting, 250));
    let position = env.store().wait_position(&env.job(batch[249].id).await).await.unwrap();
    assert_eq!(position, WaitPosition::Queue);
    assert_consistent(env.store()).await;
    claimed(&env, &able, batch[0].id).await;
    close(env).await;
}
