//! Waits for the fleet to start, to drain and to recover. What does not happen in time is a
//! violation.

mod queues;

use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, QueueType};
use domain::job::Status;
use reqwest::Client;
use scheduler::retire_unused_queues;
use store::{JobFilter, Store, WorkerStatus};

use crate::fleet::{Fleet, worker_count};
use crate::history::History;
use queues::{Queues, workers};

const INVARIANT: &str = "everything resumes by itself";
/// How long the fleet may take to start, and to recover after the last fault.
const LIMIT: Duration = Duration::from_secs(90);
const PERIOD: Duration = Duration::from_millis(250);
const HEALTH_CHECK_LIMIT: Duration = Duration::from_secs(2);
const UNFINISHED: [Status; 3] = [Status::Waiting, Status::Running, Status::CancelRequest];

/// Waits until Redis and RabbitMQ answer.
pub(crate) async fn until_servers_answer(
    fleet: &Fleet,
    store: &Store,
    namespace: &str,
) -> anyhow::Result<()> {
    let config = BrokerConfig::new(&fleet.amqp_url, QueueType::Quorum);
    let deadline = Instant::now() + LIMIT;
    loop {
        if store.ping().await.is_ok()
            && let Ok(broker) = Broker::connect(&config, namespace, "chaos").await
        {
            broker.close().await;
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "Redis or RabbitMQ does not start");
        tokio::time::sleep(PERIOD).await;
    }
}

/// Waits until all workers have registered.
pub(crate) async fn until_workers_run(store: &Store) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    while running_workers(store).await != Some(worker_count()) {
        anyhow::ensure!(Instant::now() < deadline, "the workers do not start");
        tokio::time::sleep(PERIOD).await;
    }
    Ok(())
}

/// Waits until all jobs have finished. Returns how long that took.
pub(crate) async fn until_drained(store: &Store, history: &History) -> Option<Duration> {
    let began = Instant::now();
    loop {
        let unfinished = unfinished_jobs(store).await;
        if unfinished == Some(0) {
            history.log("drained");
            return Some(began.elapsed());
        }
        if began.elapsed() > LIMIT {
            history.add_violation(INVARIANT, describe_unfinished(store, unfinished).await);
            return None;
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Retires all queues of a fleet in which no job waits. Nothing must be left of them, neither in
/// the store nor in RabbitMQ.
pub(crate) async fn until_queues_are_retired(
    fleet: &Fleet,
    store: &Store,
    namespace: &str,
    history: &History,
) -> anyhow::Result<()> {
    let config = BrokerConfig::new(&fleet.amqp_url, QueueType::Quorum);
    let deadline = Instant::now() + LIMIT;
    loop {
        let broker = Broker::connect(&config, namespace, "chaos").await?;
        retire_unused_queues(store, &broker, Duration::ZERO).await?;
        broker.close().await;
        let lost_writes = history.has_lost_writes();
        let queues = Queues::read(fleet, store, namespace, lost_writes).await?;
        if queues.is_empty() {
            history.log("all queues are retired");
            return Ok(());
        }
        if Instant::now() > deadline {
            let (used, announced) = (queues.in_use, queues.announced);
            let existing: Vec<String> = queues.consumers.keys().map(ToString::to_string).collect();
            let details = format!("in use: {used:?}, announced: {announced:?}");
            history.add_violation(INVARIANT, format!("{details}, in rabbitmq: {existing:?}"));
            return Ok(());
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Waits until every service is ready, all workers run, all queues are empty, and each is consumed
/// by the workers that can run its jobs. Queues that were just created are fresh.
pub(crate) async fn until_healthy(
    fleet: &Fleet,
    store: &Store,
    namespace: &str,
    history: &History,
    queues_are_fresh: bool,
) -> anyhow::Result<()> {
    let client = Client::builder().no_proxy().timeout(HEALTH_CHECK_LIMIT).build()?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut problems = problems(fleet, store, namespace, &client).await;
        if problems.is_empty() {
            let lost_writes = history.has_lost_writes();
            problems = match Queues::read(fleet, store, namespace, lost_writes).await {
                Ok(queues) => queues.problems(&workers(fleet), queues_are_fresh),
                Err(error) => vec![format!("the queues cannot be compared: {error}")],
            };
        }
        if problems.is_empty() {
            history.log("the fleet is healthy");
            return Ok(());
        }
        if Instant::now() > deadline {
            for problem in problems {
                history.add_violation(INVARIANT, problem);
            }
            return Ok(());
        }
        tokio::time::sleep(PERIOD * 2).await;
    }
}

async fn problems(fleet: &Fleet, store: &Store, namespace: &str, client: &Client) -> Vec<String> {
    let mut problems = Vec::new();
    for process in fleet.all().filter(|process| process.role.is_service()) {
        let name = process.name;
        match client.get(format!("{}/readyz", process.admin_url)).send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => {
                let text = answer.text().await.unwrap_or_default();
                problems.push(format!("{name} is not ready: {text}"));
            }
            Err(error) => problems.push(format!("{name} does not answer: {error}")),
        }
    }
    let running = running_workers(store).await;
    if running != Some(worker_count()) {
        problems.push(format!("{running:?} of {} workers run", worker_count()));
    }
    match nonempty_queues(fleet, store, namespace).await {
        Ok(queues) => problems.extend(queues),
        Err(error) => problems.push(format!("the queues cannot be read: {error}")),
    }
    problems
}

async fn nonempty_queues(
    fleet: &Fleet,
    store: &Store,
    namespace: &str,
) -> anyhow::Result<Vec<String>> {
    let config = BrokerConfig::new(&fleet.amqp_url, QueueType::Quorum);
    let broker = Broker::connect(&config, namespace, "chaos").await?;
    let mut nonempty = Vec::new();
    for queue in store.queue_names().await? {
        if let Some(depth) = broker.depth(&queue).await?.filter(|depth| *depth > 0) {
            nonempty.push(format!("queue {queue} holds {depth} offers"));
        }
    }
    broker.close().await;
    Ok(nonempty)
}

async fn running_workers(store: &Store) -> Option<usize> {
    let workers = store.workers().await.ok()?;
    Some(workers.iter().filter(|worker| worker.status == WorkerStatus::Running).count())
}

async fn unfinished_jobs(store: &Store) -> Option<u64> {
    let counts = store.counts().await.ok()?;
    let unfinished = counts.iter().filter(|(status, _)| UNFINISHED.contains(status));
    Some(unfinished.map(|(_, count)| count).sum())
}

async fn describe_unfinished(store: &Store, count: Option<u64>) -> String {
    let filter = JobFilter { statuses: UNFINISHED.to_vec(), ..JobFilter::default() };
    let page = store.jobs(&filter, 0, 20).await.map(|page| page.jobs).unwrap_or_default();
    let mut text = format!("{count:?} jobs have not finished {LIMIT:?} after the last fault");
    for job in page {
        let (id, status, class, worker) = (job.id, job.status, job.class, job.worker);
        text += &format!("\n  {id} {status} {class} {worker:?} due {}", job.scheduled_at);
    }
    text
}
