//! The logs of the jobs that run, followed together: each is read from where it was read to.

use std::collections::HashMap;

use domain::job::{JobId, Status};
use store::{JobFilter, Store, StoreError};

use super::message::log_message;

/// So many jobs are followed at once; the lines of others are not told.
const MAX_JOBS: usize = 256;
/// Lines that one read brings of each log.
const PAGE: u64 = 100;

/// A line, and the rooms that hear it.
pub(super) type LogMessage = (&'static [&'static str], String);

/// What runs, and how far its log was read.
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
    /// Begins with what runs now, at the ends of its logs.
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

    /// A job has begun.
    pub(super) fn start(&mut self, id: JobId, number: u64, action: &str) {
        if self.running.len() < MAX_JOBS {
            let tracked = Tracked { number, action: action.to_owned(), next: 0 };
            self.running.entry(id).or_insert(tracked);
        }
    }

    /// What all of them have said since.
    pub(super) async fn read_new(&mut self) -> Result<Vec<LogMessage>, StoreError> {
        let ids: Vec<JobId> = self.running.keys().copied().collect();
        self.read(&ids).await
    }

    /// What is left of a job that has ended.
    pub(super) async fn finish(&mut self, id: JobId) -> Result<Vec<LogMessage>, StoreError> {
        let mut all = Vec::new();
        while self.running.contains_key(&id) {
            let said = self.read(&[id]).await?;
            if said.is_empty() {
                self.running.remove(&id);
            }
            all.extend(said);
        }
        Ok(all)
    }

    async fn read(&mut self, ids: &[JobId]) -> Result<Vec<LogMessage>, StoreError> {
        let known = ids.iter().filter_map(|id| Some((*id, self.running.get(id)?.next)));
        let from: Vec<(JobId, u64)> = known.collect();
        let tails = self.store.log_tails(&from, PAGE).await?;
        let mut said = Vec::new();
        for ((id, _), lines) in from.iter().zip(tails) {
            let Some(tracked) = self.running.get_mut(id) else { continue };
            for line in &lines {
                said.push(log_message(tracked.number, &tracked.action, line));
                tracked.next = line.number + 1;
            }
        }
        Ok(said)
    }
}
