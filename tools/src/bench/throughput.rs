//! How fast jobs are taken in, and how fast they are worked off: from the first submit until all
//! have ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::json;

use super::ACTION;
use super::numbers::{median, per_second};
use crate::api::{Api, away};
use crate::failure::Failure;
use crate::out;

const CHUNK: u64 = 1000;
const CONNECTIONS: u64 = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// Looks at done jobs between two looks at jobs that ended badly.
const LOOKS: u32 = 25;
/// A fleet that ends no job for so long will end none.
const STALL: Duration = Duration::from_secs(30);
/// What a no-op may end as besides done. A dead worker's job is not over: another carries it on.
const ACTIVE: &str = "waiting,running,cancel_request";
const BAD: &str = "error,cancel";

/// All rounds, and their medians.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Throughput {
    /// Jobs in a round.
    pub(super) jobs: u64,
    pub(super) submitted_per_second: f64,
    pub(super) ended_per_second: f64,
    /// In all rounds.
    pub(super) ended_badly: u64,
    pub(super) rounds: Vec<Round>,
}

/// One round.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Round {
    /// From the first submit to the last 202.
    pub(super) submit_s: f64,
    /// From the first submit until all had ended.
    pub(super) end_s: f64,
    pub(super) ended_badly: u64,
}

impl Throughput {
    /// Sums up.
    pub(super) fn of(jobs: u64, rounds: Vec<Round>) -> Throughput {
        Throughput {
            jobs,
            submitted_per_second: median(rounds.iter().map(|one| per_second(jobs, one.submit_s))),
            ended_per_second: median(rounds.iter().map(|one| per_second(jobs, one.end_s))),
            ended_badly: rounds.iter().map(|one| one.ended_badly).sum(),
            rounds,
        }
    }
}

/// Says so when the fleet has other jobs, which would be measured too.
pub(super) async fn remark_on_other_work(api: &Api) -> Result<(), Failure> {
    let active = any(api, ACTIVE).await?;
    if active > 0 {
        out::note(format!("bench: {active} other jobs wait or run; the numbers may suffer"));
    }
    Ok(())
}

/// Submits `jobs` jobs and waits until they have ended.
pub(super) async fn round(api: &Api, jobs: u64) -> Result<Round, Failure> {
    let tally = Tally::begin(api, jobs).await?;
    let began = Instant::now();
    let (submit_s, (end_s, ended_badly)) =
        tokio::try_join!(submit(api, jobs, began), tally.until_ended(began))?;
    Ok(Round { submit_s, end_s, ended_badly })
}

/// Submits over a few connections at once; answers when the last 202 came.
async fn submit(api: &Api, jobs: u64, began: Instant) -> Result<f64, Failure> {
    let left = AtomicU64::new(jobs);
    let connection = || async {
        let mut last_s = 0.0_f64;
        while let Some(count) = take(&left) {
            let answer = api.post_text("/jobs/batch", batch(count)).await?;
            last_s = began.elapsed().as_secs_f64();
            // Read to its end, or the connection cannot be used again.
            answer.bytes().await.map_err(away)?;
        }
        Ok::<f64, Failure>(last_s)
    };
    let ends = try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
    Ok(ends.into_iter().fold(0.0, f64::max))
}

/// Takes the next chunk off what is left.
fn take(left: &AtomicU64) -> Option<u64> {
    let some = |left: u64| Some(left.saturating_sub(CHUNK)).filter(|_| left > 0);
    let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, some).ok()?;
    Some(before.min(CHUNK))
}

fn batch(count: u64) -> String {
    let job = json!({"action": ACTION}).to_string();
    format!(r#"{{"jobs":[{}]}}"#, vec![job; count as usize].join(","))
}

/// Counts of jobs before the round, to count from.
struct Tally<'a> {
    api: &'a Api,
    jobs: u64,
    any_done: u64,
    any_bad: u64,
}

impl Tally<'_> {
    async fn begin(api: &Api, jobs: u64) -> Result<Tally<'_>, Failure> {
        let (any_done, any_bad) = (any(api, "done").await?, any(api, BAD).await?);
        Ok(Tally { api, jobs, any_done, any_bad })
    }

    /// Waits for the end; answers when it came, and how many ended badly.
    ///
    /// A count by status is one look at an index and disturbs nobody. Whether any of ours is left is
    /// asked only when that says that all is over, to be sure of whose jobs they were.
    async fn until_ended(&self, began: Instant) -> Result<(f64, u64), Failure> {
        let (mut seen, mut bad) = (0, 0);
        let mut moved = Instant::now();
        for look in 1.. {
            tokio::time::sleep(PAUSE).await;
            let done = any(self.api, "done").await?.saturating_sub(self.any_done);
            let at_s = began.elapsed().as_secs_f64();
            if look % LOOKS == 0 {
                bad = any(self.api, BAD).await?.saturating_sub(self.any_bad);
            }
            if done + bad >= self.jobs && left(self.api).await? == 0 {
                return Ok((at_s, bad));
            }
            if done + bad > seen {
                (seen, moved) = (done + bad, Instant::now());
            } else if moved.elapsed() > STALL {
                let limit = STALL.as_secs();
                let why = format!("{seen} of {} jobs ended, then none for {limit} s", self.jobs);
                return Err(Failure::Late(why));
            }
        }
        Err(anyhow!("the wait for the jobs ended by itself").into())
    }
}

async fn any(api: &Api, statuses: &str) -> Result<u64, Failure> {
    api.count(&[("status", statuses.to_owned())]).await
}

/// How many of the bench's jobs are not over.
async fn left(api: &Api) -> Result<u64, Failure> {
    api.count(&[("action", ACTION.to_owned()), ("status", ACTIVE.to_owned())]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobs_are_taken_in_chunks_to_the_last_one() {
        let left = AtomicU64::new(2_500);
        let taken: Vec<u64> = std::iter::from_fn(|| take(&left)).collect();
        assert_eq!(taken, [1000, 1000, 500]);
        assert_eq!(batch(2), r#"{"jobs":[{"action":"noop"},{"action":"noop"}]}"#);
    }

    #[test]
    fn the_medians_are_of_rates() {
        let round = |submit_s, end_s, ended_badly| Round { submit_s, end_s, ended_badly };
        let rounds = vec![round(1.0, 2.0, 0), round(2.0, 4.0, 1), round(0.5, 1.0, 2)];
        let all = Throughput::of(1000, rounds);
        assert!((all.submitted_per_second - 1000.0).abs() < 1e-6);
        assert!((all.ended_per_second - 500.0).abs() < 1e-6);
        assert_eq!(all.ended_badly, 3);
    }
}
