//! Fleets in which not every worker knows every action: a job is offered only to workers that can
//! run it, also while workers join, leave and are killed. Judged by the events, the records and the
//! metrics of the workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::job::{Cancellation, JobId, NewJob, Priority, Status, WorkerId};
use domain::queue::QueueName;
use e2e::{MeasuredWorker, SHORT_LEASE, StartServices};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use store::{WaitPosition, WorkerStatus};
use testkit::{ActionsFile, Gate, Service, TestEnv, assert_consistent, job, jobs, with_parameters};

async fn until_live(env: &TestEnv, count: usize) {
    let live = async || live_workers(env).await.len() == count;
    env.eventually(&format!("{count} workers live"), live).await;
}

/// The live workers, and the actions that each knows.
async fn live_workers(env: &TestEnv) -> BTreeMap<WorkerId, Vec<String>> {
    let workers = env.store().workers().await.unwrap().into_iter();
    let live = workers.filter(|worker| worker.status == WorkerStatus::Running);
    live.map(|worker| (worker.id, worker.actions)).collect()
}

/// Returns the only worker that knows this action.
async fn worker_that_knows(env: &TestEnv, action: &str) -> WorkerId {
    let workers = live_workers(env).await.into_iter();
    let knows = |(_, actions): &(_, Vec<String>)| actions.iter().any(|name| name == action);
    let mut ids = workers.filter(knows).map(|(id, _)| id);
    let id = ids.next().unwrap();
    assert_eq!(ids.next(), None, "several workers know {action}");
    id
}

/// The queues with the number of jobs offered through each.
async fn offered(env: &TestEnv) -> Vec<(String, u64)> {
    let loads = env.store().queue_loads().await.unwrap().into_iter();
    loads.map(|load| (load.name.to_string(), load.offered)).collect()
}

/// Fails the test unless each job was submitted once, started once and ended once.
async fn assert_one_run_each(env: &TestEnv, jobs: &[NewJob]) {
    let events = env.store().event_list("", 100_000).await.unwrap();
    let mut statuses: HashMap<&str, Vec<&str>> = HashMap::new();
    for event in &events {
        if let Some(job) = event.fields.get("job") {
            statuses.entry(job).or_default().push(&event.fields["status"]);
        }
    }
    for job in jobs {
        let record = env.job(job.id).await;
        assert_eq!(record.attempt, 1, "job {}", job.id);
        assert_eq!(statuses[job.id.to_string().as_str()], ["waiting", "running", "done"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_offered_only_to_the_worker_that_knows_their_action() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let start = |actions: &[&str]| MeasuredWorker::start(&env, actions, &["--capacity=scan=4"]);
    let others = [start(&[]), start(&[])];
    let knows = start(&["rare"]);
    until_live(&env, 3).await;
    let id = worker_that_knows(&env, "rare").await;
    let batch = jobs(60, "rare", "scan=1");
    for new in &batch[..20] {
        env.store().submit(std::slice::from_ref(new)).await.unwrap();
    }
    env.store().submit(&batch[20..]).await.unwrap();
    env.until_done(60).await;
    for new in &batch {
        assert_eq!(env.job(new.id).await.worker.as_ref(), Some(&id));
    }
    assert_one_run_each(&env, &batch).await;
    for other in &others {
        assert_eq!(
            other.count("offers").await,
            0,
            "an offer reached a worker that lacks the action"
        );
    }
    assert_eq!(knows.count("claimed_jobs").await, 60);
    // Jobs of actions that all know are in the shared queue, beside them.
    env.store().submit(&jobs(60, "noop", "scan=1")).await.unwrap();
    env.until_done(120).await;
    let queues = env.store().queue_names().await.unwrap();
    let queues: Vec<String> = queues.iter().map(QueueName::to_string).collect();
    assert_eq!(queues, ["scan=1.normal", "scan=1@rare.normal"]);
    assert_consistent(env.store()).await;
    for worker in others.into_iter().chain([knows]) {
        worker.stop().await;
    }
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_jobs_start_on_a_worker_that_joins_with_their_action() {
    let env = TestEnv::new().await;
    let (scheduler, others) = (env.scheduler(), [env.worker("scan=4"), env.worker("scan=4")]);
    until_live(&env, 2).await;
    let batch = jobs(100, "rare", "scan=1");
    env.store().submit(&batch).await.unwrap();
    env.store().submit(&jobs(20, "noop", "scan=1")).await.unwrap();
    let noops_done = async || env.store().counts().await.unwrap().contains(&(Status::Done, 20));
    env.eventually("the jobs that all workers know are done", noops_done).await;
    let queue = |name: &str, jobs| (name.to_owned(), jobs);
    assert_eq!(
        offered(&env).await,
        [queue("scan=1.normal", 0), queue("scan=1@rare.normal", 64)],
        "the jobs that none knows wait"
    );
    let first = env.job(batch[0].id).await;
    assert_eq!(env.store().wait_position(&first).await.unwrap(), WaitPosition::Offered(0));
    let knows = env.worker_that_knows(&["rare"], &["--capacity=scan=4"]);
    env.until_done(120).await;
    let id = worker_that_knows(&env, "rare").await;
    for new in &batch {
        assert_eq!(env.job(new.id).await.worker.as_ref(), Some(&id));
    }
    assert_one_run_each(&env, &batch).await;
    assert_consistent(env.store()).await;
    for service in others.into_iter().chain([knows, scheduler]) {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lacks_the_action_of_offered_jobs_passes_them_on_without_a_try() {
    const JOBS: u64 = 150;
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let scheduler = env.scheduler();
    let knows = env.worker_with(&["--capacity=scan=4", &actions.flag()]);
    until_live(&env, 1).await;
    let batch = jobs(JOBS as usize, "gated", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let full = async || env.store().counts().await.unwrap().contains(&(Status::Running, 4));
    env.eventually("the only worker is full", full).await;
    let names = async || env.store().queue_names().await.unwrap();
    assert_eq!(names().await.len(), 1, "all jobs are in the shared queue");
    // Offers of the shared queue reach it, because it has capacity.
    let lacks = MeasuredWorker::start(&env, &[], &["--capacity=scan=8"]);
    let moved = async || {
        let waiting = offered(&env).await;
        waiting.iter().any(|(queue, jobs)| queue == "scan=1@gated.normal" && *jobs > 0)
    };
    env.eventually("jobs are offered through the queue of their action", moved).await;
    gate.open();
    env.until_done(JOBS).await;
    assert_one_run_each(&env, &batch).await;
    assert!(lacks.count("refused_jobs").await > 0);
    assert_eq!(lacks.count("claimed_jobs").await, 0);
    assert_consistent(env.store()).await;
    lacks.stop().await;
    for service in [knows, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_upgrade_uses_a_new_action_from_the_first_worker_on() {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let scheduler = env.scheduler();
    let mut old: Vec<Service> = (0..3).map(|_| env.worker("scan=1")).collect();
    until_live(&env, 3).await;
    let (mut upgraded, batch) = (Vec::new(), jobs(4, "gated", "scan=1"));
    env.store().submit(&batch[..1]).await.unwrap();
    for count in 1..=3 {
        old.remove(0).stop().await;
        upgraded.push(env.worker_with(&["--capacity=scan=1", &actions.flag()]));
        until_live(&env, 3).await;
        let running = (Status::Running, count as u64);
        let all_run = async || env.store().counts().await.unwrap().contains(&running);
        env.eventually("each upgraded worker runs a job", all_run).await;
        env.store().submit(&batch[count..=count]).await.unwrap();
        let waits = env.job(batch[count].id).await;
        let queue = if count < 3 { "scan=1@gated.normal" } else { "scan=1.normal" };
        assert_eq!((waits.status, waits.queue().to_string()), (Status::Waiting, queue.to_owned()));
    }
    gate.open();
    env.until_done(4).await;
    assert_one_run_each(&env, &batch).await;
    let mut workers = BTreeSet::new();
    for new in &batch {
        workers.insert(env.job(new.id).await.worker.unwrap());
    }
    assert_eq!(workers.len(), 3, "each upgraded worker has run a job");
    assert_consistent(env.store()).await;
    for service in upgraded.into_iter().chain([scheduler]) {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_wait_while_every_worker_that_knows_their_action_is_dead() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler_with(&[SHORT_LEASE]);
    let others = [env.worker("scan=2"), env.worker("scan=2")];
    let start = || env.worker_that_knows(&["rare"], &["--capacity=scan=2", SHORT_LEASE]);
    let (killed, also_killed) = (start(), start());
    until_live(&env, 4).await;
    let endless = with_parameters(job("rare", "scan=1"), &json!({"seconds": 3600}));
    env.store().submit(std::slice::from_ref(&endless)).await.unwrap();
    let runs = async || env.job(endless.id).await.status == Status::Running;
    env.eventually("it runs", runs).await;
    env.store().submit(&jobs(20, "rare", "scan=1")).await.unwrap();
    killed.kill().await;
    also_killed.kill().await;
    let batch = jobs(20, "rare", "scan=1");
    env.store().submit(&batch).await.unwrap();
    until_live(&env, 2).await;
    let follow_up = env.job(endless.id).await.follow_up.unwrap();
    let waiting: Vec<JobId> = batch.iter().map(|new| new.id).chain([follow_up]).collect();
    // Jobs that were submitted later run, so the others have been offered.
    env.store().submit(&jobs(10, "noop", "scan=1")).await.unwrap();
    let done = async |least: u64| {
        let counts = env.store().counts().await.unwrap();
        counts.iter().any(|(status, count)| *status == Status::Done && *count >= least)
    };
    env.eventually("the later jobs are done", async || done(10).await).await;
    for id in &waiting {
        let job = env.job(*id).await;
        assert_eq!(
            (job.status, job.queue().to_string()),
            (Status::Waiting, "scan=1@rare.normal".to_owned())
        );
    }
    env.store().cancel(&[follow_up], &Cancellation::default()).await.unwrap();
    let knows = start();
    for new in &batch {
        assert_eq!(env.finished(new.id).await.status, Status::Done);
    }
    assert_one_run_each(&env, &batch).await;
    assert_consistent(env.store()).await;
    for service in others.into_iter().chain([knows, scheduler]) {
        service.stop().await;
    }
    env.close().await;
}

/// The actions of four sets of workers: every job of one of them can run somewhere.
const SETS: [&[&str]; 4] = [&["a", "b"], &["b", "c", "d"], &["e"], &["a", "c", "e"]];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_never_starts_an_action_it_does_not_know_while_workers_come_and_go() {
    const JOBS: usize = 480;
    let env = TestEnv::new().await;
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_128);
    let schedulers = [env.scheduler(), env.scheduler()];
    let start = |set: usize| env.worker_that_knows(SETS[set], &["--capacity=cpu=3,scan=1"]);
    let mut workers: Vec<Service> = (0..4).map(start).collect();
    until_live(&env, 4).await;
    let batch: Vec<NewJob> = (0..JOBS).map(|_| random_job(&mut rng)).collect();
    for (round, some) in batch.chunks(JOBS / 8).enumerate() {
        env.store().submit(some).await.unwrap();
        // A worker with the same actions joins before one leaves.
        workers.push(start(round % 4));
        workers.remove(0).stop().await;
    }
    env.until_done(JOBS as u64).await;
    assert_one_run_each(&env, &batch).await;
    let knows: HashMap<WorkerId, Vec<String>> =
        env.store().workers().await.unwrap().into_iter().map(|one| (one.id, one.actions)).collect();
    for new in &batch {
        let action = new.spec.action.to_string();
        let worker = env.job(new.id).await.worker.unwrap();
        assert!(knows[&worker].contains(&action), "{worker} does not know {action}");
    }
    assert_consistent(env.store()).await;
    for service in workers.into_iter().chain(schedulers) {
        service.stop().await;
    }
    env.close().await;
}

fn random_job(rng: &mut ChaCha8Rng) -> NewJob {
    let actions = ["a", "b", "c", "d", "e", "sleep"];
    let needs = ["cpu=1", "scan=1", "cpu=3,scan=1"];
    let seconds = f64::from(rng.random_range(0..30)) / 1000.0;
    let new = job(actions[rng.random_range(0..6)], needs[rng.random_range(0..3)]);
    let mut new = with_parameters(new, &json!({"seconds": seconds}));
    new.spec.priority = [Priority::High, Priority::Normal][rng.random_range(0..2)];
    new
}
