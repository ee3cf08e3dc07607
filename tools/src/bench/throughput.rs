//! How fast the fleet accepts jobs and how fast it runs them, from the first submission until all
//! have finished.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::command::note;
use client::{ApiClient, ClientError};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::json;

use crate::numbers::{median, per_second};

/// The action of every job: it does nothing.
pub(crate) const ACTION: &str = "noop";
const CHUNK: u64 = 1000;
const CONNECTIONS: u64 = 4;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How many polls of successful jobs there are for each poll of unsuccessful ones.
const POLLS_PER_FAILURE_POLL: u32 = 25;
/// When no job has finished for this time, the fleet is stuck.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const UNFINISHED: &str = "waiting,running,cancel_request";
/// The final statuses of a job besides done; a job that lost its worker is continued by another.
const FAILED: &str = "error,cancel";

/// The rounds and their medians.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Throughput {
    /// Jobs per round.
    pub(crate) jobs: u64,
    pub(crate) submitted_per_second: f64,
    pub(crate) ended_per_second: f64,
    /// Jobs of all rounds that did not succeed.
    pub(crate) ended_badly: u64,
    pub(crate) rounds: Vec<Round>,
}

/// One round.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Round {
    /// From the first submission to the last 202.
    pub(crate) submit_s: f64,
    /// From the first submission until all jobs have finished.
    pub(crate) end_s: f64,
    pub(crate) ended_badly: u64,
}

impl Throughput {
    /// Summarizes rounds.
    pub(crate) fn of(jobs: u64, rounds: Vec<Round>) -> Throughput {
        Throughput {
            jobs,
            submitted_per_second: median(rounds.iter().map(|one| per_second(jobs, one.submit_s))),
            ended_per_second: median(rounds.iter().map(|one| per_second(jobs, one.end_s))),
            ended_badly: rounds.iter().map(|one| one.ended_badly).sum(),
            rounds,
        }
    }
}

/// Warns when the fleet has other jobs.
pub(crate) async fn note_other_jobs(api: &ApiClient) -> Result<(), ClientError> {
    let others = count(api, UNFINISHED).await?;
    if others > 0 {
        note(format!("bench: {others} other jobs wait or run and distort the numbers"));
    }
    Ok(())
}

/// Submits `jobs` jobs and waits until they have finished.
pub(crate) async fn round(api: &ApiClient, jobs: u64) -> Result<Round, ClientError> {
    let tally = Tally::begin(api, jobs).await?;
    let start = Instant::now();
    let (submit_s, (end_s, ended_badly)) =
        tokio::try_join!(submit(api, jobs, start), tally.wait(start))?;
    Ok(Round { submit_s, end_s, ended_badly })
}

/// Submits jobs over a few connections at once. Returns the time of the last 202.
async fn submit(api: &ApiClient, jobs: u64, start: Instant) -> Result<f64, ClientError> {
    let left = AtomicU64::new(jobs);
    let connection = || async {
        let mut last_s = 0.0_f64;
        while let Some(count) = take(&left) {
            let answer = api.post_text("/jobs/batch", batch(count)).await?;
            last_s = start.elapsed().as_secs_f64();
            // The connection can be reused only when the answer has been read to its end.
            answer.bytes().await?;
        }
        Ok::<f64, ClientError>(last_s)
    };
    let ends = try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
    Ok(ends.into_iter().fold(0.0, f64::max))
}

/// Takes the next chunk of what is left.
fn take(left: &AtomicU64) -> Option<u64> {
    let rest = |left: u64| Some(left.saturating_sub(CHUNK)).filter(|_| left > 0);
    let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?;
    Some(before.min(CHUNK))
}

fn batch(count: u64) -> String {
    let job = json!({"action": ACTION}).to_string();
    format!(r#"{{"jobs":[{}]}}"#, vec![job; count as usize].join(","))
}

/// Counts the jobs that finish in a round, from the counts before it.
struct Tally<'a> {
    api: &'a ApiClient,
    jobs: u64,
    done_before: u64,
    failed_before: u64,
}

impl Tally<'_> {
    async fn begin(api: &ApiClient, jobs: u64) -> Result<Tally<'_>, ClientError> {
        let (done_before, failed_before) = (count(api, "done").await?, count(api, FAILED).await?);
        Ok(Tally { api, jobs, done_before, failed_before })
    }

    /// Waits until the jobs have finished. Returns that time, and how many did not succeed.
    ///
    /// A count by status reads one index and does not disturb the fleet. Only when it says that all
    /// jobs have finished, a count by action makes sure that they were those of this round.
    async fn wait(&self, start: Instant) -> Result<(f64, u64), ClientError> {
        let (mut finished, mut failed, mut polls) = (0, 0, 0);
        let mut last_progress = Instant::now();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            polls += 1;
            let done = count(self.api, "done").await?.saturating_sub(self.done_before);
            let at_s = start.elapsed().as_secs_f64();
            if polls % POLLS_PER_FAILURE_POLL == 0 {
                failed = count(self.api, FAILED).await?.saturating_sub(self.failed_before);
            }
            if done + failed >= self.jobs && unfinished(self.api).await? == 0 {
                return Ok((at_s, failed));
            }
            if done + failed > finished {
                (finished, last_progress) = (done + failed, Instant::now());
            } else if last_progress.elapsed() > STALL_TIMEOUT {
                let (jobs, limit) = (self.jobs, STALL_TIMEOUT.as_secs());
                let text = format!("{finished} of {jobs} jobs finished, then none for {limit} s");
                return Err(ClientError::TimedOut(text));
            }
        }
    }
}

async fn count(api: &ApiClient, statuses: &str) -> Result<u64, ClientError> {
    api.count_jobs(&[("status", statuses.to_owned())]).await
}

/// How many jobs of the bench have not finished.
async fn unfinished(api: &ApiClient) -> Result<u64, ClientError> {
    api.count_jobs(&[("action", ACTION.to_owned()), ("status", UNFINISHED.to_owned())]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_submitted_in_chunks_to_the_last_one() {
        let left = AtomicU64::new(2_500);
        let taken: Vec<u64> = std::iter::from_fn(|| take(&left)).collect();
        assert_eq!(taken, [1000, 1000, 500]);
        assert_eq!(batch(2), r#"{"jobs":[{"action":"noop"},{"action":"noop"}]}"#);
    }

    #[test]
    fn medians_are_calculated_from_rates() {
        let round = |submit_s, end_s, ended_badly| Round { submit_s, end_s, ended_badly };
        let rounds = vec![round(1.0, 2.0, 0), round(2.0, 4.0, 1), round(0.5, 1.0, 2)];
        let all = Throughput::of(1000, rounds);
        assert!((all.submitted_per_second - 1000.0).abs() < 1e-6);
        assert!((all.ended_per_second - 500.0).abs() < 1e-6);
        assert_eq!(all.ended_badly, 3);
    }
}
