//! Waiting for jobs to finish, together with the jobs that continue them after a failure or a lost
//! worker.

use std::fmt;
use std::time::{Duration, Instant};

use domain::job::{JobId, Status};
use futures_util::{StreamExt, stream};

use crate::api_client::ApiClient;
use crate::error::ClientError;
use crate::escape::escape;
use crate::wire::Job;

/// How long an API that has answered before may be unreachable: it may be restarting.
pub const API_OUTAGE_LIMIT: Duration = Duration::from_secs(15);

const CONCURRENT_CALLS: usize = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A job that has finished.
#[derive(Debug)]
pub struct FinishedJob {
    /// The job that was waited for.
    pub requested: JobId,
    /// Its last follow-up, or the job itself when it has none.
    pub job: Job,
}

impl FinishedJob {
    /// True when the job finished as `done`.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.job.status == Status::Done
    }
}

impl fmt::Display for FinishedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.requested, self.job.status)?;
        if self.job.id != self.requested {
            write!(f, " as {}", self.job.id)?;
        }
        match &self.job.exception {
            Some(exception) => {
                write!(f, ": {}: {}", escape(&exception.kind), escape(&exception.message))?;
                if exception.kind == "ExitCode" {
                    write!(f, "; see `capstan jobs logs {}`", self.job.id)?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Waits until all jobs and their follow-ups have finished. Returns them in the order of `ids`.
pub async fn wait_for_jobs(
    api: &ApiClient,
    ids: &[JobId],
    timeout: Option<Duration>,
) -> Result<Vec<FinishedJob>, ClientError> {
    let mut wait = Wait::new(ids);
    match timeout {
        None => wait.run(api).await?,
        Some(timeout) => match tokio::time::timeout(timeout, wait.run(api)).await {
            Ok(finished) => finished?,
            Err(_) => return Err(ClientError::TimedOut(wait.unfinished())),
        },
    }
    Ok(wait.chains.into_iter().filter_map(Chain::finished).collect())
}

/// A requested job and the job that continues it now.
struct Chain {
    requested: JobId,
    current: JobId,
    last: Option<Job>,
}

impl Chain {
    fn is_finished(&self) -> bool {
        self.last.as_ref().is_some_and(|job| job.id == self.current && job.status.is_final())
    }

    fn finished(self) -> Option<FinishedJob> {
        Some(FinishedJob { requested: self.requested, job: self.last? })
    }

    fn update(&mut self, job: Job) {
        let next = job.follow_up_id.filter(|next| job.status.is_final() && *next != job.id);
        self.current = next.unwrap_or(job.id);
        self.last = Some(job);
    }
}

struct Wait {
    chains: Vec<Chain>,
    last_answer: Option<Instant>,
}

impl Wait {
    fn new(ids: &[JobId]) -> Wait {
        let chains = ids.iter().map(|id| Chain { requested: *id, current: *id, last: None });
        Wait { chains: chains.collect(), last_answer: None }
    }

    async fn run(&mut self, api: &ApiClient) -> Result<(), ClientError> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.poll(api).await {
                Ok(()) => self.last_answer = Some(Instant::now()),
                Err(ClientError::Unavailable(_)) if self.may_be_restarting() => {}
                Err(error) => return Err(error),
            }
            if self.chains.iter().all(Chain::is_finished) {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    fn may_be_restarting(&self) -> bool {
        self.last_answer.is_some_and(|answer| answer.elapsed() < API_OUTAGE_LIMIT)
    }

    async fn poll(&mut self, api: &ApiClient) -> Result<(), ClientError> {
        let open = self.chains.iter_mut().filter(|chain| !chain.is_finished());
        let mut calls = stream::iter(open)
            .map(|chain| async move {
                let job: Job = api.get(&format!("/jobs/{}", chain.current)).await?;
                chain.update(job);
                Ok::<(), ClientError>(())
            })
            .buffer_unordered(CONCURRENT_CALLS);
        while let Some(call) = calls.next().await {
            call?;
        }
        Ok(())
    }

    /// Describes the jobs that have not finished, in one line.
    fn unfinished(&self) -> String {
        let open: Vec<&Chain> = self.chains.iter().filter(|chain| !chain.is_finished()).collect();
        let shown = open.iter().take(3).map(|chain| match &chain.last {
            Some(job) if job.id == chain.current => match &job.waiting_for {
                Some(reason) => format!("{} {} ({})", job.id, job.status, reason.message),
                None => format!("{} {}", job.id, job.status),
            },
            _ => format!("{} not read yet", chain.current),
        });
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = if open.len() > 3 { ", …" } else { "" };
        let (open, all) = (open.len(), self.chains.len());
        format!("timed out: {open} of {all} jobs have not finished: {shown}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::WaitReason;
    use expect_test::expect;
    use serde_json::json;

    const FIRST: &str = "00000000-0000-4000-8000-000000000001";
    const SECOND: &str = "00000000-0000-4000-8000-000000000002";

    fn job(id: &str, status: &str, follow_up: Option<&str>) -> Job {
        let document = json!({
            "id": id, "status": status, "action": "sleep", "followUpID": follow_up,
            "scheduledAt": "2026-11-20T16:30:00Z",
            "exception": {"type": "ExitCode", "message": "exit code 1"},
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_wait_that_times_out_says_why_the_job_still_waits() {
        let mut wait = Wait::new(&[FIRST.parse().unwrap()]);
        let mut waiting = job(FIRST, "waiting", None);
        let message = "no live worker offers gpu=4".to_owned();
        waiting.waiting_for = Some(WaitReason { code: "capacity".to_owned(), message });
        wait.chains[0].update(waiting);
        let text = format!(
            "timed out: 1 of 1 jobs have not finished: {FIRST} waiting (no live worker offers gpu=4)"
        );
        assert_eq!(wait.unfinished(), text);
    }

    #[test]
    fn a_job_has_finished_when_its_last_follow_up_has() {
        let mut wait = Wait::new(&[FIRST.parse().unwrap()]);
        expect!["timed out: 1 of 1 jobs have not finished: 00000000-0000-4000-8000-000000000001 not read yet"]
            .assert_eq(&wait.unfinished());
        let steps = [
            (job(FIRST, "waiting", None), false),
            (job(FIRST, "running", None), false),
            (job(FIRST, "worker_dead", Some(SECOND)), false),
            (job(SECOND, "running", None), false),
            (job(SECOND, "error", None), true),
        ];
        for (job, finished) in steps {
            let status = job.status;
            wait.chains[0].update(job);
            assert_eq!(wait.chains[0].is_finished(), finished, "{status}");
        }
        let finished: Vec<FinishedJob> =
            wait.chains.into_iter().filter_map(Chain::finished).collect();
        let text = format!(
            "{FIRST} error as {SECOND}: ExitCode: exit code 1; see `capstan jobs logs {SECOND}`"
        );
        assert_eq!(finished[0].to_string(), text);
        assert!(!finished[0].succeeded());
    }
}
