//! The state of the fleet as `capstan top` reads it.

use client::wire::{Job, Status, Worker};
use client::{ApiClient, ClientError};
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many waiting jobs are read one by one, because only then the API says why they wait.
const WAITING: usize = 8;
/// How many running jobs are read.
const RUNNING: usize = 100;

/// The state of the fleet.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Services, counts and rates.
    pub(super) status: Status,
    /// The workers that have a lease.
    pub(super) workers: Vec<Worker>,
    /// The waiting jobs that were due first, with the reasons why they wait.
    pub(super) waiting: Vec<Job>,
    /// The running jobs that were due first.
    pub(super) running: Vec<Job>,
}

impl Snapshot {
    /// Reads the state of the fleet.
    pub(super) async fn read(api: &ApiClient) -> Result<Snapshot, ClientError> {
        let status: Status = api.get("/status").await?;
        let workers: Vec<Worker> = api.page("/workers", &[]).await?.items("workers")?;
        let waiting = jobs(api, "waiting", WAITING).await?;
        let waiting = stream::iter(waiting).map(|job: Job| async move {
            match api.get(&format!("/jobs/{}", job.id)).await {
                Ok(details) => Ok(details),
                // It has been removed in the meantime.
                Err(ClientError::Refused(refusal)) if refusal.status == 404 => Ok(job),
                Err(error) => Err(error),
            }
        });
        let waiting: Vec<Job> = waiting.buffered(WAITING).try_collect().await?;
        let running = jobs(api, "running,cancel_request", RUNNING).await?;
        let is_live = |worker: &Worker| matches!(&*worker.status, "running" | "draining");
        Ok(Snapshot {
            status,
            workers: workers.into_iter().filter(is_live).collect(),
            waiting,
            running,
        })
    }
}

async fn jobs(api: &ApiClient, status: &str, limit: usize) -> Result<Vec<Job>, ClientError> {
    let query = [
        ("status", status.to_owned()),
        ("sort", "scheduledAt".to_owned()),
        ("limit", limit.to_string()),
    ];
    api.page("/jobs", &query).await?.items("jobs")
}
