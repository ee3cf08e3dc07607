//! Routing: the queue through which a job is offered, and what becomes of it when a worker that
//! does not know its action claims it.

use domain::job::{JobId, NewJob, Outcome, Status, Timestamp};
use domain::lock::LockName;
use store::{ClaimAnswer, Dumped, JobChange, WaitPosition, WorkerCommand};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{
    claim, claimed, dump, end, finish, lose, offers, queue_of, redis_cli, report, submit,
    worker_that_knows,
};

const ALL: [&str; 3] = ["noop", "sleep", "false"];
const SHARED: &str = "scan=1.normal";
const OF_SLEEP: &str = "scan=1@sleep.normal";

fn sleep() -> NewJob {
    job("sleep", "scan=1")
}

/// Submits a job of `sleep`, and returns the queue through which it is offered.
async fn routed(env: &TestEnv) -> String {
    let id = submit(env, &sleep()).await;
    let queue = queue_of(env, id).await;
    assert_eq!(env.job(id).await.queue().to_string(), queue);
    let stored = match dump(env).await.remove(&format!("job:{id}")) {
        Some(Dumped::Hash(job)) => job.contains_key("actionQueue"),
        _ => panic!("{id} has no record"),
    };
    assert_eq!(stored, queue.contains('@'), "only a job in an action queue says so");
    assert_consistent(env.store()).await;
    queue
}

#[tokio::test]
async fn a_job_whose_action_all_live_workers_know_is_offered_through_the_shared_queue() {
    let env = TestEnv::new().await;
    assert_eq!(routed(&env).await, SHARED, "no worker lives");
    for _ in 0..3 {
        worker_that_knows(&env, &ALL).await;
        assert_eq!(routed(&env).await, SHARED);
    }
    env.close().await;
}

#[tokio::test]
async fn a_job_whose_action_only_some_live_workers_know_is_offered_through_its_own_queue() {
    let env = TestEnv::new().await;
    for actions in [&["noop"][..], &ALL, &["noop", "false"]] {
        worker_that_knows(&env, actions).await;
        assert_eq!(routed(&env).await, OF_SLEEP);
    }
    let known = submit(&env, &job("noop", "scan=1")).await;
    assert_eq!(queue_of(&env, known).await, SHARED, "each action has its own route");
    let position = env.store().wait_position(&env.job(known).await).await.unwrap();
    assert_eq!(position, WaitPosition::Offered(0), "the jobs of action queues are not ahead of it");
    env.close().await;
}

#[tokio::test]
async fn new_jobs_go_to_the_shared_queue_when_the_last_worker_that_lacks_the_action_is_gone() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &ALL).await;
    let (learns, leaves, dies) = (
        worker_that_knows(&env, &["noop"]).await,
        worker_that_knows(&env, &["noop"]).await,
        worker_that_knows(&env, &["noop"]).await,
    );
    let first = submit(&env, &sleep()).await;
    report(&env, &learns, &["noop", "sleep"]).await;
    assert_eq!(routed(&env).await, OF_SLEEP);
    env.store().leave(&leaves).await.unwrap();
    assert_eq!(routed(&env).await, OF_SLEEP);
    // Its last heartbeat says that it knows the action by now, and then the lease ends.
    lose(&env, &dies).await;
    assert_eq!(routed(&env).await, SHARED);
    report(&env, &learns, &["noop"]).await;
    assert_eq!(routed(&env).await, OF_SLEEP, "a worker may lose an action");
    env.store().leave(&learns).await.unwrap();
    assert_eq!(routed(&env).await, SHARED);
    assert_eq!(env.job(first).await.queue().to_string(), OF_SLEEP, "an offered job stays");
    let past = Some(Timestamp::from_ms(1));
    let change = JobChange { priority: None, scheduled_at: past };
    env.store().change(first, change).await.unwrap();
    assert_eq!(env.job(first).await.queue().to_string(), SHARED, "unless it is offered again");
    assert_eq!(queue_of(&env, first).await, SHARED);
    claimed(&env, &able, first).await;
    env.store().leave(&able).await.unwrap();
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_worker_that_dies_without_the_action_closes_the_gap() {
    let env = TestEnv::new().await;
    let unused = worker_that_knows(&env, &[]).await;
    assert_eq!(routed(&env).await, OF_SLEEP);
    let short = std::time::Duration::from_millis(1);
    let last = store::Heartbeat { actions: Vec::new(), ..crate::calls::heartbeat(&unused, short) };
    env.store().heartbeat(&last).await.unwrap();
    assert_eq!(routed(&env).await, OF_SLEEP, "it lives until it is declared dead");
    let expired =
        async || env.store().expire_lease(&unused).await.unwrap() != store::LeaseExpiry::Alive;
    env.eventually("the lease ends", expired).await;
    assert_eq!(routed(&env).await, SHARED);
    env.close().await;
}

#[tokio::test]
async fn a_draining_worker_counts_as_live() {
    let env = TestEnv::new().await;
    let (able, drains) =
        (worker_that_knows(&env, &ALL).await, worker_that_knows(&env, &["noop"]).await);
    env.store().command_worker(&drains, &WorkerCommand::Drain).await.unwrap();
    report(&env, &drains, &["noop"]).await;
    assert_eq!(routed(&env).await, OF_SLEEP);
    env.store().command_worker(&able, &WorkerCommand::Drain).await.unwrap();
    report(&env, &able, &ALL).await;
    assert_eq!(routed(&env).await, OF_SLEEP, "not the queue of workers that drain");
    env.close().await;
}

#[tokio::test]
async fn a_claim_by_a_worker_that_lacks_the_action_moves_the_job_at_once_and_counts_no_try() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &ALL).await;
    let mut retried = sleep();
    retried.spec.retries = 2;
    let id = submit(&env, &retried).await;
    let submitted = env.job(id).await;
    let joins = worker_that_knows(&env, &["noop"]).await;
    assert_eq!(claim(&env, &joins, id).await, ClaimAnswer::Refused(Status::Waiting));
    let wanted = [(id, SHARED.to_owned()), (id, OF_SLEEP.to_owned())];
    assert_eq!(offers(&env).await, wanted, "it is offered again in the same step");
    let moved = env.job(id).await;
    assert_eq!((moved.attempt, moved.retries_left), (1, 2));
    assert_eq!(moved.last_updated, submitted.last_updated);
    let queue = OF_SLEEP.parse().unwrap();
    assert_eq!(env.store().ready_count(&queue).await.unwrap(), 1);
    assert_eq!(env.store().due().await.unwrap().moved, 0, "it is not put off");
    assert_consistent(env.store()).await;
    let before = dump(&env).await;
    assert_eq!(claim(&env, &joins, id).await, ClaimAnswer::Refused(Status::Waiting));
    assert_eq!(dump(&env).await, before, "a late copy of the offer changes nothing");
    let run = claimed(&env, &able, id).await;
    assert_eq!(run.attempt, 1);
    finish(&env, &end(id, run.token, Outcome::Done(None))).await;
    assert_consistent(env.store()).await;
    env.close().await;
}

/// The counts may be wrong after Redis has lost a write: then the claim still knows better.
#[tokio::test]
async fn a_job_moves_to_its_own_queue_even_when_the_counts_say_that_all_workers_know_it() {
    let env = TestEnv::new().await;
    let (able, lacks) =
        (worker_that_knows(&env, &ALL).await, worker_that_knows(&env, &["noop"]).await);
    let key = format!("{{{}}}:routing", env.store_config().namespace);
    let set = ["hset", key.as_str(), "knows:sleep", "2"].map(str::to_owned);
    redis_cli(&env.store_config().redis_url, set).await;
    let (first, second) = (submit(&env, &sleep()).await, submit(&env, &sleep()).await);
    for id in [first, second] {
        assert_eq!(queue_of(&env, id).await, SHARED);
        assert_eq!(claim(&env, &lacks, id).await, ClaimAnswer::Refused(Status::Waiting));
        assert_eq!(queue_of(&env, id).await, OF_SLEEP);
        claimed(&env, &able, id).await;
    }
    env.close().await;
}

#[tokio::test]
async fn a_job_that_was_granted_a_lock_keeps_its_place_in_the_wait_queue_when_it_moves() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &ALL).await;
    let lock: LockName = "a".parse().unwrap();
    let locking = || {
        let mut job = sleep();
        job.spec.locks = "a=1".parse().unwrap();
        job
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(submit(&env, &locking()).await);
    }
    let run = claimed(&env, &able, ids[0]).await;
    for id in [ids[2], ids[1]] {
        assert!(matches!(claim(&env, &able, id).await, ClaimAnswer::Parked(_)));
    }
    finish(&env, &end(ids[0], run.token, Outcome::Done(None))).await;
    assert_eq!(queue_of(&env, ids[1]).await, SHARED, "it is granted the lock");
    let joins = worker_that_knows(&env, &["noop"]).await;
    assert_eq!(claim(&env, &joins, ids[1]).await, ClaimAnswer::Refused(Status::Waiting));
    assert_eq!(queue_of(&env, ids[1]).await, OF_SLEEP);
    assert_consistent(env.store()).await;
    for (ahead, id) in [(0, ids[1]), (1, ids[2])] {
        let found = env.store().waiters_ahead(&lock, &env.job(id).await).await.unwrap();
        assert_eq!(found, Some(ahead));
    }
    // A later copy of the offer in the shared queue does not take the lock before it.
    assert!(matches!(claim(&env, &able, ids[2]).await, ClaimAnswer::Parked(_)));
    let run = claimed(&env, &able, ids[1]).await;
    finish(&env, &end(ids[1], run.token, Outcome::Done(None))).await;
    assert_eq!(queue_of(&env, ids[2]).await, SHARED, "a waiter that did not move stays");
    claimed(&env, &able, ids[2]).await;
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_was_granted_a_lock_moves_even_when_the_window_of_its_group_is_full() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &ALL).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut locking = sleep();
        locking.spec.locks = "a=1".parse().unwrap();
        ids.push(submit(&env, &locking).await);
    }
    let run = claimed(&env, &able, ids[0]).await;
    assert!(matches!(claim(&env, &able, ids[1]).await, ClaimAnswer::Parked(_)));
    finish(&env, &end(ids[0], run.token, Outcome::Done(None))).await;
    let joins = worker_that_knows(&env, &["noop"]).await;
    env.store().submit(&jobs(65, "sleep", "scan=1")).await.unwrap();
    assert_eq!(claim(&env, &joins, ids[1]).await, ClaimAnswer::Refused(Status::Waiting));
    assert_eq!(queue_of(&env, ids[1]).await, OF_SLEEP, "it does not hold up the lock");
    assert_consistent(env.store()).await;
    claimed(&env, &able, ids[1]).await;
    env.close().await;
}

#[tokio::test]
async fn jobs_that_move_fill_the_window_of_their_group_and_then_its_backlog() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &ALL).await;
    let batch = jobs(70, "sleep", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let ids: Vec<JobId> = batch.iter().map(|job| job.id).collect();
    let joins = worker_that_knows(&env, &["noop"]).await;
    for id in &ids[..64] {
        assert_eq!(claim(&env, &joins, *id).await, ClaimAnswer::Refused(Status::Waiting));
    }
    let ready = async |queue: &str| env.store().ready_count(&queue.parse().unwrap()).await.unwrap();
    assert_eq!((ready(SHARED).await, ready(OF_SLEEP).await), (6, 64));
    assert_consistent(env.store()).await;
    for (behind, id) in ids[64..].iter().enumerate() {
        assert_eq!(claim(&env, &joins, *id).await, ClaimAnswer::Refused(Status::Waiting));
        let position = env.store().wait_position(&env.job(*id).await).await.unwrap();
        let backlog = WaitPosition::Backlog { ahead: 64 + behind as u64, turns: None };
        assert_eq!(position, backlog);
    }
    assert_eq!((ready(SHARED).await, ready(OF_SLEEP).await), (0, 64));
    assert_consistent(env.store()).await;
    for id in &ids[..6] {
        claimed(&env, &able, *id).await;
    }
    let wanted = ids[64..].iter().map(|id| (*id, OF_SLEEP.to_owned())).collect::<Vec<_>>();
    assert!(offers(&env).await.ends_with(&wanted), "those in the backlog follow in order");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_route_is_decided_when_a_job_is_offered_not_when_it_is_submitted() {
    let env = TestEnv::new().await;
    let able = worker_that_knows(&env, &ALL).await;
    let (on, mut waits) = (submit(&env, &sleep()).await, sleep());
    waits.spec.depends_on = vec![on];
    waits.spec.retries = 1;
    waits.spec.backoff =
        Some(domain::job::Backoff { base: "1ms".parse().unwrap(), max: "1ms".parse().unwrap() });
    let waits = submit(&env, &waits).await;
    let lacks = worker_that_knows(&env, &["noop"]).await;
    let run = claimed(&env, &able, on).await;
    finish(&env, &end(on, run.token, Outcome::Done(None))).await;
    assert_eq!(queue_of(&env, waits).await, OF_SLEEP, "a job that is unblocked");
    let run = claimed(&env, &able, waits).await;
    env.store().leave(&lacks).await.unwrap();
    let failed = end(waits, run.token, crate::calls::failed());
    finish(&env, &failed).await;
    let moved = async || env.store().due().await.unwrap().moved == 1;
    env.eventually("the retry is due", moved).await;
    assert_eq!(queue_of(&env, failed.follow_up).await, SHARED, "a retry");
    assert_consistent(env.store()).await;
    env.close().await;
}
