//! Jobs of equal priority and `scheduledAt` start in the order of their numbers, wherever they
//! wait. Judged by the order of the events.

use domain::job::{JobId, NewJob, Status, Timestamp};
use e2e::{MeasuredWorker, StartServices};
use futures_util::future::join_all;
use serde_json::json;
use store::RetryAnswer;
use testkit::{
    ActionsFile, Gate, Service, TestEnv, assert_consistent, job, jobs, shared_queue,
    with_parameters,
};
use uuid::Uuid;

/// The jobs in the order in which they started.
async fn started(env: &TestEnv) -> Vec<JobId> {
    let events = env.store().event_list("", 100_000).await.unwrap();
    let starts = events
        .iter()
        .filter(|event| event.fields.contains_key("job") && event.fields["status"] == "running");
    starts.map(|event| event.fields["job"].parse().unwrap()).collect()
}

/// Fails the test unless these jobs started in this order.
async fn assert_started_in_order(env: &TestEnv, jobs: &[JobId]) {
    let started: Vec<JobId> = started(env).await;
    let places = started.iter().filter_map(|id| jobs.iter().position(|job| job == id));
    let places: Vec<usize> = places.collect();
    assert_eq!(places.len(), jobs.len(), "each job started once");
    let out_of_turn = places.iter().enumerate().filter(|(turn, place)| turn != *place);
    let out_of_turn: Vec<_> = out_of_turn.take(20).collect();
    assert!(out_of_turn.is_empty(), "(turn, place in the submission): {out_of_turn:?}");
}

fn ids(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

fn short_jobs(count: usize, need: &str) -> Vec<NewJob> {
    let short = || with_parameters(job("sleep", need), &json!({"seconds": 0.02}));
    (0..count).map(|_| short()).collect()
}

async fn until_status(env: &TestEnv, id: JobId, status: Status) {
    let reached = async || env.job(id).await.status == status;
    env.eventually(&format!("job {id} becomes {status}"), reached).await;
}

/// Checks the environment, stops the services and closes it.
async fn close(env: TestEnv, services: Vec<Service>) {
    assert_consistent(env.store()).await;
    for service in services {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_runs_exactly_in_order_on_a_worker_with_one_unit() {
    let env = TestEnv::new().await;
    let services = vec![env.scheduler(), env.worker("scan=1")];
    let batch = jobs(400, "noop", "scan=1");
    env.store().submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    env.until_done(400).await;
    assert_started_in_order(&env, &ids(&batch)).await;
    close(env, services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_class_runs_in_order_while_another_class_competes_for_the_same_unit() {
    let env = TestEnv::new().await;
    let services = vec![env.scheduler()];
    let worker = MeasuredWorker::start(&env, &[], &["--capacity=cpu=1,scan=1"]);
    let (scans, checks) = (short_jobs(200, "scan=1"), short_jobs(100, "cpu=1,scan=1"));
    env.store().submit_batch(Uuid::new_v4(), &scans).await.unwrap();
    env.store().submit_batch(Uuid::new_v4(), &checks).await.unwrap();
    env.until_done(300).await;
    assert_started_in_order(&env, &ids(&scans)).await;
    assert_started_in_order(&env, &ids(&checks)).await;
    let pauses = worker.count("queue_pauses").await;
    assert!(pauses > 0, "no offer was returned to its queue");
    worker.stop().await;
    close(env, services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_for_a_lock_start_in_order_on_several_workers() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let mut services = vec![env.scheduler()];
    services.extend((0..3).map(|_| env.worker_with(&["--capacity=scan=8", &actions.flag()])));
    let locked = |action| {
        let mut new = job(action, "scan=1");
        new.spec.locks = "database=1".parse().unwrap();
        new
    };
    let holder = locked("gated");
    env.store().submit(std::slice::from_ref(&holder)).await.unwrap();
    until_status(&env, holder.id, Status::Running).await;
    let batch: Vec<NewJob> = (0..100).map(|_| locked("noop")).collect();
    env.store().submit(&batch).await.unwrap();
    let lock = "database".parse().unwrap();
    let all_wait = async || env.store().lock(&lock).await.unwrap().waiting == 100;
    env.eventually("all jobs wait for the lock", all_wait).await;
    gate.open();
    env.until_done(101).await;
    assert_started_in_order(&env, &ids(&batch)).await;
    close(env, services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dependants_of_a_job_start_in_order() {
    let env = TestEnv::new().await;
    let services = vec![env.scheduler(), env.worker("scan=1")];
    let first = job("noop", "scan=1");
    let mut dependants = jobs(150, "noop", "scan=1");
    for new in &mut dependants {
        new.spec.depends_on = vec![first.id];
    }
    let batch: Vec<NewJob> = [first].into_iter().chain(dependants).collect();
    env.store().submit(&batch).await.unwrap();
    env.until_done(151).await;
    assert_started_in_order(&env, &ids(&batch)).await;
    close(env, services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_become_due_in_the_same_millisecond_start_in_order() {
    let env = TestEnv::new().await;
    let services = vec![env.scheduler(), env.worker("scan=1")];
    let due = env.store().now().await.unwrap().ms() + 500;
    let mut batch = jobs(300, "noop", "scan=1");
    for new in &mut batch {
        new.scheduled_at = Some(Timestamp::from_ms(due));
    }
    env.store().submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    env.until_done(300).await;
    assert_started_in_order(&env, &ids(&batch)).await;
    close(env, services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_jobs_start_in_the_order_of_their_retries() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let services = vec![env.scheduler(), env.worker_with(&["--capacity=scan=1", &actions.flag()])];
    let batch = jobs(150, "false", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let failed =
        async |count| env.store().counts().await.unwrap().contains(&(Status::Error, count));
    env.eventually("all jobs have failed", async || failed(150).await).await;
    let first = job("gated", "scan=1");
    env.store().submit(std::slice::from_ref(&first)).await.unwrap();
    until_status(&env, first.id, Status::Running).await;
    // At the same time, so that several have the same `scheduledAt`.
    let retries = batch.iter().map(async |failed| {
        let follow_up = JobId::random();
        let answer = env.store().retry(failed.id, follow_up).await.unwrap();
        assert_eq!(answer, RetryAnswer::Created);
        (env.job(follow_up).await.number, follow_up)
    });
    let mut follow_ups = join_all(retries).await;
    follow_ups.sort_unstable();
    gate.open();
    env.eventually("all follow-ups have failed", async || failed(300).await).await;
    let follow_ups: Vec<JobId> = follow_ups.into_iter().map(|(_, id)| id).collect();
    assert_started_in_order(&env, &follow_ups).await;
    close(env, services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_whose_offers_were_lost_start_in_order() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let batch = jobs(200, "noop", "scan=1");
    env.store().submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    let (broker, queue) = (env.broker().await, shared_queue(&batch[0]));
    let offered = async || broker.depth(&queue).await.unwrap().unwrap_or(0) > 0;
    env.eventually("the first jobs are offered", offered).await;
    broker.delete(&queue).await.unwrap();
    let all = scheduler::Search::default();
    let offered_again = async || {
        scheduler::find_lost_offers(env.store(), &broker, &all).await.unwrap();
        offered().await
    };
    env.eventually("they are offered again", offered_again).await;
    broker.close().await;
    let services = vec![scheduler, env.worker("scan=1")];
    env.until_done(200).await;
    assert_started_in_order(&env, &ids(&batch)).await;
    close(env, services).await;
}
