//! How soon a job starts on a fleet with little to do: from just before its submit is sent until
//! its action begins, by the clock of one machine. Both ends stamp the wall clock, for they are two
//! processes.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;
use domain::job::JobId;
use tokio::task::JoinSet;

use super::numbers::Percentiles;
use crate::api::Api;
use crate::failure::Failure;
use crate::jobs::wait::{Ended, ending, until_over};
use crate::wire::Job;

const BODY: &str = r#"{"action":"noop","parameters":{"clock":true}}"#;
/// Jobs that are not counted: they open the connections.
const WARM_UP: u64 = 20;
const END_LIMIT: Duration = Duration::from_secs(60);

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pickup {
    pub(super) jobs_per_second: u64,
    pub(super) jobs: u64,
    /// From before the POST until the action began.
    pub(super) submit_to_start: Percentiles,
    /// The POST alone, there and back.
    pub(super) post: Percentiles,
}

/// One job's submission.
struct Sent {
    id: JobId,
    at_us: i64,
    post_us: i64,
}

/// Submits at an even rate, however long each submission takes, and measures.
pub(super) async fn measure(api: &Api, rate: u64, seconds: u64) -> Result<Pickup, Failure> {
    paced(api, rate, WARM_UP).await?;
    let sent = paced(api, rate, rate * seconds).await?;
    let ids: Vec<JobId> = sent.iter().map(|one| one.id).collect();
    let ended = until_over(api, &ids, Some(END_LIMIT)).await?;
    if ending(&ended).code() != 0 {
        return Err(anyhow!("a no-op of the latency measurement did not end as done").into());
    }
    let waits: Option<Vec<i64>> = sent
        .iter()
        .zip(&ended)
        .map(|(sent, ended)| Some(started_us(ended)? - sent.at_us))
        .collect();
    let waits =
        waits.ok_or_else(|| anyhow!("a no-op answered no startedMicros: is its worker older?"))?;
    Ok(Pickup {
        jobs_per_second: rate,
        jobs: rate * seconds,
        submit_to_start: Percentiles::of(waits),
        post: Percentiles::of(sent.iter().map(|one| one.post_us).collect()),
    })
}

async fn paced(api: &Api, rate: u64, jobs: u64) -> Result<Vec<Sent>, Failure> {
    let mut period = tokio::time::interval(Duration::from_secs(1) / rate as u32);
    let mut posts: JoinSet<Result<Sent, Failure>> = JoinSet::new();
    for _ in 0..jobs {
        period.tick().await;
        posts.spawn(post(api.clone()));
    }
    let mut sent = Vec::new();
    while let Some(one) = posts.join_next().await {
        sent.push(one.map_err(anyhow::Error::from)??);
    }
    Ok(sent)
}

async fn post(api: Api) -> Result<Sent, Failure> {
    let (at_us, began) = (chrono::Utc::now().timestamp_micros(), Instant::now());
    let answer = api.post_text("/jobs", BODY).await?;
    let body = answer.bytes().await.map_err(crate::api::away)?;
    let post_us = began.elapsed().as_micros() as i64;
    let job: Job = serde_json::from_slice(&body).map_err(anyhow::Error::from)?;
    Ok(Sent { id: job.id, at_us, post_us })
}

fn started_us(ended: &Ended) -> Option<i64> {
    ended.job.result.get("startedMicros").and_then(Value::as_i64)
}
