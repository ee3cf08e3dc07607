//! How soon a job starts on a nearly idle fleet: from just before its submission until its action
//! begins. Two processes take these times, so both use the wall clock of one machine.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use client::command::CommandError;
use client::wire::Job;
use client::{ApiClient, ClientError, FinishedJob, wait_for_jobs};
use domain::job::JobId;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::costs::{Costs, Meter};
use crate::jobs::ACTION;
use crate::numbers::Percentiles;

/// Jobs that open the connections and are not counted.
const WARM_UP: u64 = 20;
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// The latencies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pickup {
    pub(crate) jobs_per_second: u64,
    pub(crate) jobs: u64,
    /// From before the POST until the action begins.
    pub(crate) submit_to_start: Percentiles,
    /// The POST alone, until its answer.
    pub(crate) post: Percentiles,
    pub(crate) costs: Costs,
    /// `None` without the addresses of Redis and RabbitMQ.
    pub(crate) floor: Option<PickupFloor>,
}

/// The same without Capstan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PickupFloor {
    /// From before a job is written until it is claimed.
    pub(crate) submit_to_start: Percentiles,
    pub(crate) costs: Costs,
}

/// A submitted job.
struct Sent {
    id: JobId,
    at_us: i64,
    post_us: i64,
}

/// Submits jobs at a constant rate, however long each submission takes, and measures them.
pub(crate) async fn measure(
    api: &ApiClient,
    meter: &Meter<'_>,
    rate: u64,
    seconds: u64,
) -> Result<Pickup, CommandError> {
    submit_at_rate(api, rate, WARM_UP).await?;
    let jobs = rate * seconds;
    let (sent, costs) = meter.measure(jobs, Box::pin(submit_at_rate(api, rate, jobs))).await?;
    // Only now, so that these reads neither delay jobs nor count as their costs.
    let ids: Vec<JobId> = sent.iter().map(|one| one.id).collect();
    let finished = wait_for_jobs(api, &ids, Some(END_TIMEOUT)).await?;
    if !finished.iter().all(FinishedJob::succeeded) {
        return Err(unexpected("a job of the latency measurement did not succeed"));
    }
    let waits: Option<Vec<i64>> = sent
        .iter()
        .zip(&finished)
        .map(|(sent, finished)| Some(start_us(&finished.job)? - sent.at_us))
        .collect();
    let waits = waits.ok_or_else(|| {
        unexpected("a job has no startedMicros in its result: upgrade the workers")
    })?;
    Ok(Pickup {
        jobs_per_second: rate,
        jobs,
        submit_to_start: Percentiles::of(waits),
        post: Percentiles::of(sent.iter().map(|one| one.post_us).collect()),
        costs,
        floor: None,
    })
}

async fn submit_at_rate(api: &ApiClient, rate: u64, jobs: u64) -> Result<Vec<Sent>, CommandError> {
    let mut period = tokio::time::interval(Duration::from_secs(1) / rate as u32);
    let mut posts: JoinSet<Result<Sent, ClientError>> = JoinSet::new();
    for _ in 0..jobs {
        period.tick().await;
        posts.spawn(submit(api.clone()));
    }
    let mut sent = Vec::new();
    while let Some(one) = posts.join_next().await {
        sent.push(one.map_err(anyhow::Error::from)??);
    }
    Ok(sent)
}

async fn submit(api: ApiClient) -> Result<Sent, ClientError> {
    let job = json!({"action": ACTION, "parameters": {"clock": true}});
    let (at_us, start) = (chrono::Utc::now().timestamp_micros(), Instant::now());
    let job: Job = api.post("/jobs", &job).await?;
    let post_us = start.elapsed().as_micros() as i64;
    Ok(Sent { id: job.id, at_us, post_us })
}

fn start_us(job: &Job) -> Option<i64> {
    job.result.get("startedMicros").and_then(Value::as_i64)
}

fn unexpected(reason: &str) -> CommandError {
    CommandError::Other(anyhow!(reason.to_owned()))
}
