//! Queues that are not used any more are retired from the store and from RabbitMQ, and no job is
//! lost with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::Broker;
use domain::job::{NewJob, Status};
use domain::queue::QueueName;
use e2e::StartServices;
use futures_util::{StreamExt, TryStreamExt, stream};
use testkit::{TestEnv, assert_consistent, job, jobs, shared_queue};

const UNUSED: Duration = Duration::ZERO;

/// Retires every queue in which no job waits. Returns how many this call deleted in RabbitMQ; a
/// scheduler that runs meanwhile may delete some of them first.
async fn retire(env: &TestEnv, broker: &Broker) -> u64 {
    scheduler::retire_unused_queues(env.store(), broker, UNUSED).await.unwrap()
}

/// Retires until no queue is left. A relay announces a queue after it has published to it, and
/// publishes again after an error. A job may end before that, and a later pass deletes its queue.
async fn retire_all(env: &TestEnv, broker: &Broker, queues: &[QueueName]) {
    let are_gone = async || {
        retire(env, broker).await;
        let depths = stream::iter(queues).then(|queue| broker.depth(queue));
        let depths: Vec<Option<u32>> = depths.try_collect().await.unwrap();
        depths.iter().all(Option::is_none)
            && queue_names(env).await.is_empty()
            && env.store().declared_queues().await.unwrap().is_empty()
    };
    env.eventually("every queue is deleted", are_gone).await;
}

/// Waits until a queue is announced, and no other.
async fn until_announced(env: &TestEnv, queue: &QueueName) {
    let announced =
        async || env.store().declared_queues().await.unwrap() == std::slice::from_ref(queue);
    env.eventually("it is announced", announced).await;
}

async fn queue_names(env: &TestEnv) -> Vec<QueueName> {
    env.store().queue_names().await.unwrap()
}

async fn submit(env: &TestEnv, new: &NewJob) {
    env.store().submit(std::slice::from_ref(new)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_queue_is_deleted_and_can_be_used_again() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let broker = env.broker().await;
    let queue = shared_queue(&job("noop", "scan=1"));
    for round in 1..=3 {
        let new = job("noop", "scan=1");
        submit(&env, &new).await;
        assert_eq!(env.finished(new.id).await.status, Status::Done, "round {round}");
        assert_eq!(broker.depth(&queue).await.unwrap(), Some(0));
        retire_all(&env, &broker, std::slice::from_ref(&queue)).await;
        assert_eq!(retire(&env, &broker).await, 0);
    }
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_in_which_a_job_waits_is_not_retired() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let waiting = job("noop", "scan=1");
    submit(&env, &waiting).await;
    let (broker, queue) = (env.broker().await, shared_queue(&waiting));
    let offered = async || broker.depth(&queue).await.unwrap() == Some(1);
    env.eventually("it is offered", offered).await;
    assert_eq!(retire(&env, &broker).await, 0);
    assert_eq!((queue_names(&env).await, offered().await), (vec![queue], true));
    let worker = env.worker("scan=1");
    env.until_done(1).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

/// The steps of a retirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    TakeOutOfUse,
    Delete,
    Forget,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_submitted_between_two_steps_of_a_retirement_runs() {
    const STEPS: [Step; 3] = [Step::TakeOutOfUse, Step::Delete, Step::Forget];
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let (broker, queue) = (env.broker().await, shared_queue(&job("noop", "scan=1")));
    let is_offered = async || broker.depth(&queue).await.unwrap() == Some(1);
    let mut worker = env.worker("scan=1");
    let mut expected = 0;
    for after in STEPS {
        let first = job("noop", "scan=1");
        submit(&env, &first).await;
        env.finished(first.id).await;
        worker.stop().await;
        let between = job("noop", "scan=1");
        for step in STEPS {
            match step {
                Step::TakeOutOfUse => {
                    assert!(env.store().retire_queue(&queue, UNUSED).await.unwrap());
                }
                Step::Delete => broker.delete(&queue).await.unwrap(),
                Step::Forget => {
                    env.store().forget_queue(&queue).await.unwrap();
                }
            }
            if step == after {
                submit(&env, &between).await;
                env.eventually("it is offered", is_offered).await;
            }
        }
        expected += 2;
        // The offer is lost when the queue is deleted after it.
        let lost = after == Step::TakeOutOfUse;
        assert_eq!(is_offered().await, !lost, "submitted after {after:?}");
        worker = env.worker("scan=1");
        env.until_done(expected).await;
        assert_eq!(queue_names(&env).await, std::slice::from_ref(&queue));
        until_announced(&env, &queue).await;
    }
    assert_consistent(env.store()).await;
    broker.close().await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_runs_while_queues_are_retired_again_and_again() {
    const ROUNDS: u64 = 60;
    const NEEDS: [&str; 4] = ["cpu=1", "cpu=2", "scan=1", ""];
    let env = TestEnv::new().await;
    let schedulers = [env.scheduler(), env.scheduler()];
    let workers =
        [env.worker("cpu=2,scan=1"), env.worker_that_knows(&["rare"], &["--capacity=cpu=2"])];
    let broker = env.broker().await;
    let submitted = AtomicBool::new(false);
    let submitting = async {
        for round in 1..=ROUNDS {
            let action = if round % 3 == 0 { "rare" } else { "noop" };
            let need = NEEDS[round as usize % if action == "rare" { 2 } else { 4 }];
            env.store().submit(&jobs(3, action, need)).await.unwrap();
            // Some submissions overlap.
            if round % 3 == 0 {
                env.until_done(round * 3).await;
            }
        }
        submitted.store(true, Ordering::Relaxed);
    };
    let retiring = async {
        let mut retired = 0;
        while !submitted.load(Ordering::Relaxed) {
            retired += retire(&env, &broker).await;
        }
        retired
    };
    let ((), retired) = tokio::join!(submitting, retiring);
    assert!(retired >= ROUNDS / 3, "{retired} queues were deleted meanwhile");
    broker.close().await;
    assert_consistent(env.store()).await;
    for service in workers.into_iter().chain(schedulers) {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_whose_announcement_was_lost_is_announced_again() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let queue = shared_queue(&job("noop", "scan=1"));
    let (first, second) = (job("noop", "scan=1"), job("noop", "scan=1"));
    submit(&env, &first).await;
    env.finished(first.id).await;
    // RabbitMQ has the queue, and the relay has announced it on its connection.
    assert!(env.store().retire_queue(&queue, UNUSED).await.unwrap());
    env.store().forget_queue(&queue).await.unwrap();
    assert_eq!(env.store().declared_queues().await.unwrap(), []);
    submit(&env, &second).await;
    env.finished(second.id).await;
    until_announced(&env, &queue).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_capacity_maps_can_be_used_one_after_another() {
    const MAPS: u32 = 300;
    const STEP: u32 = 20;
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker(&format!("cpu={MAPS}")));
    let broker = env.broker().await;
    for first in (1..=MAPS).step_by(STEP as usize) {
        let units = first..first + STEP;
        let batch: Vec<NewJob> = units.map(|units| job("noop", &format!("cpu={units}"))).collect();
        env.store().submit(&batch).await.unwrap();
        env.until_done(u64::from(first + STEP - 1)).await;
        let queues: Vec<QueueName> = batch.iter().map(shared_queue).collect();
        retire_all(&env, &broker, &queues).await;
    }
    assert_consistent(env.store()).await;
    broker.close().await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
