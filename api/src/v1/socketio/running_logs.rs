//! The logs of the running jobs, read together: each from its last position.

use std::collections::HashMap;

use domain::job::{JobId, Status};
use store::{JobFilter, Store, StoreError};

use super::message::log_message;

/// The maximum number of jobs whose logs are followed; the lines of further jobs are not sent.
const MAX_JOBS: usize = 256;
/// The number of lines that one read returns of each log.
const PAGE: u64 = 100;

/// A log line, and the rooms that receive it.
pub(super) type LogMessage = (&'static [&'static str], String);

/// The running jobs, and the position in the log of each.
pub(super) struct RunningLogs {
    store: Store,
    running: HashMap<JobId, Tracked>,
}

struct Tracked {
    number: u64,
    action: String,
    next: u64,
}

impl RunningLogs {
    /// Creates it with the jobs that run now, at the ends of their logs.
    pub(super) async fn new(store: &Store) -> Result<RunningLogs, StoreError> {
        let statuses = vec![Status::Running, Status::CancelRequest];
        let filter = JobFilter { statuses, ..JobFilter::default() };
        let jobs = store.jobs(&filter, 0, MAX_JOBS).await?.jobs;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let lengths = store.log_lengths(&ids).await?;
        let running = jobs.into_iter().zip(lengths).map(|(job, next)| {
            (job.id, Tracked { number: job.number, action: job.spec.action.into(), next })
        });
        Ok(RunningLogs { store: store.clone(), running: running.collect() })
    }

    /// Adds a job that has started.
    pub(super) fn start(&mut self, id: JobId, number: u64, action: &str) {
        if self.running.len() < MAX_JOBS {
            let tracked = Tracked { number, action: action.to_owned(), next: 0 };
            self.running.entry(id).or_insert(tracked);
        }
    }

    /// Returns the new lines of all jobs.
    pub(super) async fn read_new(&mut self) -> Result<Vec<LogMessage>, StoreError> {
        let ids: Vec<JobId> = self.running.keys().copied().collect();
        self.read(&ids).await
    }

    /// Returns the remaining lines of a job that has finished, and removes it.
    pub(super) async fn finish(&mut self, id: JobId) -> Result<Vec<LogMessage>, StoreError> {
        let mut all = Vec::new();
        while self.running.contains_key(&id) {
            let lines = self.read(&[id]).await?;
            if lines.is_empty() {
                self.running.remove(&id);
            }
            all.extend(lines);
        }
        Ok(all)
    }

    async fn read(&mut self, ids: &[JobId]) -> Result<Vec<LogMessage>, StoreError> {
        let known = ids.iter().filter_map(|id| Some((*id, self.running.get(id)?.next)));
        let from: Vec<(JobId, u64)> = known.collect();
        let tails = self.store.log_tails(&from, PAGE).await?;
        let mut messages = Vec::new();
        for ((id, _), lines) in from.iter().zip(tails) {
            let Some(tracked) = self.running.get_mut(id) else { continue };
            for line in &lines {
                messages.push(log_message(tracked.number, &tracked.action, line));
                tracked.next = line.number + 1;
            }
        }
        Ok(messages)
    }
}
