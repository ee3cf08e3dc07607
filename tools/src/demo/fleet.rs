//! The fleet behind the API, with one deadline for every wait.

use std::time::{Duration, Instant};

use client::wire::{Job, LogLine};
use client::{ApiClient, ClientError, wait_for_jobs};
use domain::job::JobId;
use serde_json::Value;

/// Pause between two polls.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The fleet that the demo runs on.
pub(crate) struct Fleet {
    pub(crate) api: ApiClient,
    pub(crate) deadline: Instant,
}

impl Fleet {
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Polls until there is a value. Fails at the deadline with what was waited for.
    pub(crate) async fn poll_until<T>(
        &self,
        awaited: &str,
        mut poll: impl AsyncFnMut() -> Result<Option<T>, ClientError>,
    ) -> Result<T, ClientError> {
        loop {
            if let Some(value) = poll().await? {
                return Ok(value);
            }
            if self.time_left().is_zero() {
                return Err(ClientError::TimedOut(format!("timed out: {awaited}")));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    pub(crate) async fn submit(&self, job: &Value) -> Result<Job, ClientError> {
        self.api.post("/jobs", job).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Job, ClientError> {
        self.api.get(&format!("/jobs/{id}")).await
    }

    /// Lists jobs, the oldest first.
    pub(crate) async fn jobs(&self, filter: &[(&str, String)]) -> Result<Vec<Job>, ClientError> {
        let mut query = filter.to_vec();
        query.push(("limit", "1000".to_owned()));
        let mut jobs = self.api.page("/jobs", &query).await?.items("jobs")?;
        jobs.reverse();
        Ok(jobs)
    }

    pub(crate) async fn children(&self, parent: JobId) -> Result<Vec<Job>, ClientError> {
        self.jobs(&[("parent", parent.to_string())]).await
    }

    /// Waits for jobs; returns the last follow-up of each.
    pub(crate) async fn finished(&self, ids: &[JobId]) -> Result<Vec<Job>, ClientError> {
        let finished = wait_for_jobs(&self.api, ids, Some(self.time_left())).await?;
        Ok(finished.into_iter().map(|one| one.job).collect())
    }

    /// Submits a job and waits for its end.
    pub(crate) async fn run(&self, job: &Value) -> Result<Job, ClientError> {
        let job = self.submit(job).await?;
        let finished = self.finished(&[job.id]).await?.pop();
        finished.ok_or_else(|| ClientError::Unavailable(format!("job {} has no end", job.id)))
    }

    pub(crate) async fn log(&self, id: JobId) -> Result<Vec<String>, ClientError> {
        let lines: Vec<LogLine> = self.api.get(&format!("/jobs/{id}/logs")).await?;
        Ok(lines.into_iter().map(|line| line.data.trim_end().to_owned()).collect())
    }
}
