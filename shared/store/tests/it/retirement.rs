//! The retirement of queues: which ones retire, and that a job that is submitted between any two of
//! its steps is offered through a queue that is in use.

use std::time::Duration;

use domain::job::{JobId, NewJob, Outcome, Timestamp, WorkerId};
use domain::queue::QueueName;
use store::{ClaimAnswer, Hint};
use testkit::{TestEnv, assert_consistent, job, jobs, shared_queue};

use crate::calls::{
    claim, claimed, dump, end, finish, offers, queue_of, redis_cli, submit, worker,
    worker_that_knows,
};

const TEN_MINUTES: Duration = Duration::from_secs(600);

async fn run(env: &TestEnv, worker: &WorkerId, id: JobId) {
    let run = claimed(env, worker, id).await;
    finish(env, &end(id, run.token, Outcome::Done(None))).await;
}

/// What a relay does with a new queue.
async fn announce(env: &TestEnv, queue: &QueueName) {
    env.store().queues_declared(std::slice::from_ref(queue)).await.unwrap();
}

/// Retires a queue in which no job waits.
async fn retire(env: &TestEnv, queue: &QueueName) -> bool {
    env.store().retire_queue(queue, Duration::ZERO).await.unwrap()
}

async fn in_use(env: &TestEnv) -> Vec<QueueName> {
    env.store().queue_names().await.unwrap()
}

async fn announced(env: &TestEnv) -> Vec<QueueName> {
    env.store().declared_queues().await.unwrap()
}

#[tokio::test]
async fn a_thousand_capacity_maps_one_after_another_leave_nothing_behind() {
    let env = TestEnv::new().await;
    let able = worker(&env).await;
    let lacks = worker_that_knows(&env, &["noop"]).await;
    for index in 0..1_000 {
        // Every third one has a queue of its action.
        let action = if index % 3 == 0 { "sleep" } else { "noop" };
        let id = submit(&env, &job(action, &format!("type{index}=1"))).await;
        let queue = env.job(id).await.queue();
        assert_eq!(queue.action.is_some(), index % 3 == 0);
        announce(&env, &queue).await;
        run(&env, &able, id).await;
        assert!(retire(&env, &queue).await, "{queue}");
        assert_eq!(env.store().retired_queues().await.unwrap(), std::slice::from_ref(&queue));
        env.store().forget_queue(&queue).await.unwrap();
    }
    assert_eq!((in_use(&env).await, announced(&env).await), (Vec::new(), Vec::new()));
    env.store().leave(&able).await.unwrap();
    env.store().leave(&lacks).await.unwrap();
    assert_consistent(env.store()).await;
    let world = dump(&env).await;
    let of_queues = ["routing", "declared", "claimed_up_to", "offered", "parked"];
    let left: Vec<_> = world.keys().filter(|key| of_queues.contains(&key.as_str())).collect();
    assert!(left.is_empty(), "{left:?}");
    env.close().await;
}

#[tokio::test]
async fn a_queue_retires_only_when_no_job_waits_in_it_and_none_was_offered_for_a_while() {
    let env = TestEnv::new().await;
    let able = worker(&env).await;
    let (one, store) = (job("noop", "scan=1"), env.store());
    let queue = shared_queue(&one);
    assert!(!retire(&env, &queue).await, "it was never in use");
    submit(&env, &one).await;
    let before = dump(&env).await;
    assert!(!retire(&env, &queue).await, "a job is offered through it");
    assert_eq!(dump(&env).await, before);
    store.pause(&"action:noop".parse().unwrap(), true).await.unwrap();
    assert!(matches!(claim(&env, &able, one.id).await, ClaimAnswer::Parked(_)));
    let before = dump(&env).await;
    assert!(!retire(&env, &queue).await, "a job of it waits for a lock");
    assert_eq!(dump(&env).await, before);
    store.pause(&"action:noop".parse().unwrap(), false).await.unwrap();
    assert!(!retire(&env, &queue).await);
    let run = claimed(&env, &able, one.id).await;
    let before = dump(&env).await;
    assert!(!store.retire_queue(&queue, TEN_MINUTES).await.unwrap(), "it came into use just now");
    assert_eq!(dump(&env).await, before);
    let key = format!("{{{}}}:routing", env.store_config().namespace);
    let long_ago = ["hset", &key, &format!("queue:{queue}"), "1"].map(str::to_owned);
    redis_cli(&env.store_config().redis_url, long_ago).await;
    let used = store.retire_queue(&queue, TEN_MINUTES).await.unwrap();
    assert!(!used, "a job that was offered through it just now was claimed");
    assert!(retire(&env, &queue).await, "a job that runs does not need it");
    assert_consistent(store).await;
    finish(&env, &end(one.id, run.token, Outcome::Done(None))).await;
    assert!(!retire(&env, &queue).await);
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test]
async fn a_queue_with_a_backlog_does_not_retire() {
    let env = TestEnv::new().await;
    let able = worker(&env).await;
    let batch = jobs(66, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let queue = shared_queue(&batch[0]);
    for job in &batch {
        assert!(!retire(&env, &queue).await);
        run(&env, &able, job.id).await;
    }
    assert!(retire(&env, &queue).await);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_is_due_later_takes_its_retired_queue_into_use_again() {
    let env = TestEnv::new().await;
    let mut later = job("noop", "scan=1");
    let now = env.store().now().await.unwrap();
    later.scheduled_at = Some(Timestamp::from_ms(now.ms() + 2_000));
    let (id, queue) = (submit(&env, &later).await, shared_queue(&later));
    assert!(retire(&env, &queue).await, "a job that is due later does not need it yet");
    assert_consistent(env.store()).await;
    let moved = async || env.store().due().await.unwrap().moved == 1;
    env.eventually("the job is due", moved).await;
    assert_eq!(queue_of(&env, id).await, queue.to_string());
    assert_eq!(in_use(&env).await, [queue]);
    assert_consistent(env.store()).await;
    env.close().await;
}

/// The steps of a retirement. A job is submitted before one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Retire,
    DeleteInBroker,
    Forget,
    StopWorkers,
}

#[tokio::test]
async fn a_job_submitted_between_any_two_steps_of_a_retirement_has_a_queue_that_is_in_use() {
    for step in [Step::Retire, Step::DeleteInBroker, Step::Forget, Step::StopWorkers] {
        for action in ["noop", "sleep"] {
            submit_before(step, action).await;
        }
    }
}

async fn submit_before(step: Step, action: &str) {
    let env = TestEnv::new().await;
    let (store, able) = (env.store(), worker(&env).await);
    worker_that_knows(&env, &["noop"]).await;
    let first = submit(&env, &job(action, "scan=1")).await;
    let queue = env.job(first).await.queue();
    announce(&env, &queue).await;
    run(&env, &able, first).await;
    let mut hints = store.hints(&able).await.unwrap();
    let next: NewJob = job(action, "scan=1");
    let submit_at = async |next_step: Step| {
        if next_step == step {
            submit(&env, &next).await;
        }
    };
    submit_at(Step::Retire).await;
    let retired = retire(&env, &queue).await;
    assert_eq!(retired, step != Step::Retire, "{step:?}");
    submit_at(Step::DeleteInBroker).await;
    let seen = store.retired_queues().await.unwrap();
    let reused = matches!(step, Step::Retire | Step::DeleteInBroker);
    assert_eq!(seen.contains(&queue), !reused, "a queue in use is not deleted in the broker");
    submit_at(Step::Forget).await;
    store.forget_queue(&queue).await.unwrap();
    submit_at(Step::StopWorkers).await;

    let is_announced = announced(&env).await.contains(&queue);
    assert_eq!(is_announced, step != Step::StopWorkers, "{step:?}");
    if step == Step::StopWorkers {
        assert_eq!(hints.next().await, Some(Hint::Queues), "workers stop consuming it");
        announce(&env, &queue).await;
        assert_eq!(hints.next().await, Some(Hint::Queues), "and begin again");
    }
    assert_eq!(in_use(&env).await, std::slice::from_ref(&queue), "{step:?}");
    assert_eq!(offers(&env).await.last(), Some(&(next.id, queue.to_string())));
    assert_eq!(store.ready_count(&queue).await.unwrap(), 1, "a lost offer is found");
    assert_consistent(store).await;
    run(&env, &able, next.id).await;
    assert!(retire(&env, &queue).await);
    assert_consistent(store).await;
    env.close().await;
}
