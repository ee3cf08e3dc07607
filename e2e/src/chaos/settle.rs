//! The end of a storm: everything is healed, and the fleet is waited for. What does not settle in time is a
//! violation, and is told with what it waits for.

use std::time::{Duration, Instant};

use broker::Broker;
use broker::{BrokerConfig, QueueType};
use domain::job::Status;
use reqwest::Client;
use store::{Filter, Store, WorkerStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fleet::{Fleet, MEMBERS, Places, Role};
use crate::history::History;

/// How long a fleet may take, from when everything is healed.
const LIMIT: Duration = Duration::from_secs(90);
const PERIOD: Duration = Duration::from_millis(250);

/// Waits for Redis and RabbitMQ to answer, and then for a fleet that is whole.
pub(crate) async fn up(store: &Store, places: &Places) -> anyhow::Result<()> {
    let until = Instant::now() + LIMIT;
    while store.ping().await.is_err() || !rabbitmq_answers(&places.amqp_url).await {
        anyhow::ensure!(Instant::now() < until, "Redis or RabbitMQ does not come up");
        tokio::time::sleep(PERIOD).await;
    }
    Ok(())
}

/// Waits until every worker is there.
pub(crate) async fn workers(store: &Store) -> anyhow::Result<()> {
    let until = Instant::now() + LIMIT;
    while running_workers(store).await != expected_workers() {
        anyhow::ensure!(Instant::now() < until, "the workers do not come up");
        tokio::time::sleep(PERIOD).await;
    }
    Ok(())
}

/// Waits until every job has ended; returns how long that took.
pub(crate) async fn drained(store: &Store, history: &History) -> Option<Duration> {
    let began = Instant::now();
    loop {
        let left = unfinished(store).await;
        if left == Some(0) {
            history.note("drained");
            return Some(began.elapsed());
        }
        if began.elapsed() > LIMIT {
            history.violated("9: everything resumes by itself", waits_for(store, left).await);
            return None;
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Waits until every service says that it is well, every worker is there, and no queue holds anything.
pub(crate) async fn well(
    fleet: &Fleet,
    store: &Store,
    (places, namespace): (&Places, &str),
    history: &History,
) -> anyhow::Result<()> {
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let until = Instant::now() + LIMIT;
    loop {
        let mut trouble = Vec::new();
        for member in fleet.all().filter(|of| !matches!(of.role, Role::Redis | Role::RabbitMq)) {
            let ready = client.get(format!("{}/readyz", member.admin)).send().await;
            match ready {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => {
                    let said = answer.text().await.unwrap_or_default();
                    trouble.push(format!("{} is not ready: {said}", member.name));
                }
                Err(error) => trouble.push(format!("{} does not answer: {error}", member.name)),
            }
        }
        let count = running_workers(store).await;
        if count != expected_workers() {
            trouble.push(format!("{count:?} workers run"));
        }
        match full_queues(store, places, namespace).await {
            Ok(full) => trouble.extend(full),
            Err(error) => trouble.push(format!("the queues cannot be looked at: {error}")),
        }
        if trouble.is_empty() {
            history.note("well");
            return Ok(());
        }
        if Instant::now() > until {
            for what in trouble {
                history.violated("9: everything resumes by itself", what);
            }
            return Ok(());
        }
        tokio::time::sleep(PERIOD * 2).await;
    }
}

async fn full_queues(
    store: &Store,
    places: &Places,
    namespace: &str,
) -> anyhow::Result<Vec<String>> {
    let config = BrokerConfig::new(&places.amqp_url, QueueType::Quorum);
    let broker = Broker::connect(&config, namespace, "chaos").await?;
    let mut full = Vec::new();
    for queue in store.queue_names().await? {
        if let Some(depth) = broker.depth(&queue).await?.filter(|depth| *depth > 0) {
            full.push(format!("queue {queue} holds {depth} offers"));
        }
    }
    broker.close().await;
    Ok(full)
}

async fn running_workers(store: &Store) -> Option<usize> {
    let workers = store.workers().await.ok()?;
    Some(workers.iter().filter(|worker| worker.status == WorkerStatus::Running).count())
}

fn expected_workers() -> Option<usize> {
    Some(MEMBERS.iter().filter(|member| member.1 == Role::Worker).count())
}

const UNFINISHED: [Status; 3] = [Status::Waiting, Status::Running, Status::CancelRequest];

async fn unfinished(store: &Store) -> Option<u64> {
    let counts = store.counts().await.ok()?;
    let left = counts.iter().filter(|(status, _)| UNFINISHED.contains(status));
    Some(left.map(|(_, count)| count).sum())
}

async fn waits_for(store: &Store, left: Option<u64>) -> String {
    let filter = Filter { statuses: UNFINISHED.to_vec(), ..Filter::default() };
    let page = store.jobs(&filter, 0, 20).await.map(|page| page.jobs).unwrap_or_default();
    let mut text = format!("{left:?} jobs have not ended {LIMIT:?} after everything was healed");
    for job in page {
        let (id, status, class, worker) = (job.id, job.status, job.class, job.worker);
        text += &format!("\n  {id} {status} {class} {worker:?} due {}", job.scheduled_at);
    }
    text
}

/// A node that is ready opens AMQP with a frame of type 1.
async fn rabbitmq_answers(url: &str) -> bool {
    let address = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        stream.read_u8().await
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), asking).await, Ok(Ok(1)))
}
