//! Submits jobs that do nothing and waits until they have finished.

use std::time::{Duration, Instant};

use client::command::note;
use client::{ApiClient, ClientError};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::phase::Submission;

/// The action of jobs that do nothing.
pub(crate) const ACTION: &str = "noop";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// When no job has finished for this time, the fleet is stuck.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const UNFINISHED: &str = "waiting,running,cancel_request";
/// The final statuses of a job besides done; a job that lost its worker is continued by another.
const FAILED: &str = "error,cancel";

/// Warns when the fleet has other jobs.
pub(crate) async fn note_other_jobs(api: &ApiClient) -> Result<(), ClientError> {
    let others = count(api, UNFINISHED).await?;
    if others > 0 {
        note(format!("bench: {others} other jobs wait or run and distort the numbers"));
    }
    Ok(())
}

/// A job that does nothing.
pub(crate) fn no_op(_number: u64) -> Value {
    json!({"action": ACTION})
}

/// Submits jobs, which `job` makes from their numbers. Returns when all are accepted.
pub(crate) async fn submit(
    api: &ApiClient,
    jobs: u64,
    submission: Submission,
    job: impl Fn(u64) -> Value,
) -> Result<(), ClientError> {
    let requests = stream::iter((0..jobs).step_by(submission.jobs)).map(|first| {
        let numbers = first..jobs.min(first + submission.jobs as u64);
        Ok::<_, ClientError>(request(numbers.map(&job).collect(), submission))
    });
    let posts = requests.try_for_each_concurrent(submission.in_flight, async |(path, body)| {
        // The connection can be reused only when the answer has been read to its end.
        api.post_text(path, body).await?.bytes().await?;
        Ok(())
    });
    posts.await
}

fn request(jobs: Vec<Value>, submission: Submission) -> (&'static str, String) {
    match <[Value; 1]>::try_from(jobs) {
        Ok([job]) if submission.jobs == 1 => ("/jobs", job.to_string()),
        Ok([job]) => ("/jobs/batch", json!({"jobs": [job]}).to_string()),
        Err(jobs) => ("/jobs/batch", json!({"jobs": jobs}).to_string()),
    }
}

/// Waits for the end of jobs, by the counts from before they were submitted.
pub(crate) struct Finish<'a> {
    api: &'a ApiClient,
    unfinished_before: u64,
    failed_before: u64,
}

impl Finish<'_> {
    /// Reads the counts. Call this before the jobs are submitted.
    pub(crate) async fn of(api: &ApiClient) -> Result<Finish<'_>, ClientError> {
        let unfinished_before = count(api, UNFINISHED).await?;
        Ok(Finish { api, unfinished_before, failed_before: count(api, FAILED).await? })
    }

    /// Waits until the jobs, which have all been submitted, have finished. Returns how many did not
    /// succeed. A count by status reads only indexes and does not disturb the fleet.
    pub(crate) async fn wait(&self) -> Result<u64, ClientError> {
        let (mut fewest, mut last_progress) = (u64::MAX, Instant::now());
        loop {
            let left = count(self.api, UNFINISHED).await?.saturating_sub(self.unfinished_before);
            if left == 0 {
                return Ok(count(self.api, FAILED).await?.saturating_sub(self.failed_before));
            }
            if left < fewest {
                (fewest, last_progress) = (left, Instant::now());
            } else if last_progress.elapsed() > STALL_TIMEOUT {
                let limit = STALL_TIMEOUT.as_secs();
                let text = format!("{left} jobs have not finished, and none has for {limit} s");
                return Err(ClientError::TimedOut(text));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

async fn count(api: &ApiClient, statuses: &str) -> Result<u64, ClientError> {
    api.count_jobs(&[("status", statuses.to_owned())]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_submitted_as_a_batch_or_one_by_one() {
        let batch = |jobs| request(vec![no_op(0); jobs], Submission::BATCHES);
        assert_eq!(batch(1), ("/jobs/batch", r#"{"jobs":[{"action":"noop"}]}"#.to_owned()));
        let two = r#"{"jobs":[{"action":"noop"},{"action":"noop"}]}"#.to_owned();
        assert_eq!(batch(2), ("/jobs/batch", two));
        let single = request(vec![no_op(0)], Submission::SINGLE);
        assert_eq!(single, ("/jobs", r#"{"action":"noop"}"#.to_owned()));
    }
}
