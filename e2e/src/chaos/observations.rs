//! Everything that the checks judge, gathered after the fleet has recovered.

use std::collections::{BTreeMap, HashMap};

use domain::job::{Job, JobId};
use store::{Dumped, Event, Store, Worker};

use crate::fleet::{Fleet, WorkerProcesses};
use crate::job_command::RecordedRun;
use crate::monitor::ResourceUsage;
use crate::workload::Ledger;

/// What was observed of an experiment.
pub(crate) struct Observations {
    /// What the API acknowledged.
    pub(crate) ledger: Ledger,
    /// What ran, as the commands recorded it.
    pub(crate) runs: Vec<RecordedRun>,
    /// All events, in order.
    pub(crate) events: Vec<Event>,
    /// All job records.
    pub(crate) jobs: HashMap<JobId, Job>,
    /// The follow-up of each job, also of deleted ones, whose records no longer name it.
    pub(crate) follow_ups: HashMap<JobId, JobId>,
    pub(crate) workers: Vec<Worker>,
    /// The whole store.
    pub(crate) dump: BTreeMap<String, Dumped>,
    pub(crate) resource_usage: ResourceUsage,
    /// The processes that workers had, by their ids.
    pub(crate) worker_processes: WorkerProcesses,
}

/// The number of records that are read at once.
const PAGE: usize = 500;
/// A retry chain that is longer has a cycle.
const LONGEST_CHAIN: usize = 100;

impl Observations {
    /// Reads the store, and adds what was recorded during the experiment.
    pub(crate) async fn gather(
        store: &Store,
        fleet: &Fleet,
        (ledger, runs): (Ledger, Vec<RecordedRun>),
        (events, resource_usage): (Vec<Event>, ResourceUsage),
    ) -> anyhow::Result<Observations> {
        let dump = store.dump().await?;
        let ids = dump.keys().filter_map(|key| key.strip_prefix("job:")?.parse().ok());
        let ids: Vec<JobId> = ids.collect();
        let mut jobs = HashMap::new();
        for page in ids.chunks(PAGE) {
            jobs.extend(store.jobs_by_id(page).await?.into_iter().map(|job| (job.id, job)));
        }
        Ok(Observations {
            ledger,
            runs,
            events,
            follow_ups: follow_ups(&jobs),
            jobs,
            workers: store.workers().await?,
            dump,
            resource_usage,
            worker_processes: fleet.worker_processes().clone(),
        })
    }

    /// The retry chain of a job: the job and its follow-ups, oldest first.
    pub(crate) fn chain(&self, first: JobId) -> Vec<&Job> {
        let mut chain: Vec<&Job> = Vec::new();
        let mut next = self.jobs.get(&first);
        while let Some(job) = next.filter(|_| chain.len() < LONGEST_CHAIN) {
            chain.push(job);
            let follow_up = job.follow_up.or(self.follow_ups.get(&job.id).copied());
            next = follow_up.and_then(|id| self.jobs.get(&id));
        }
        chain
    }

    /// The first job of every retry chain, including chains that were never acknowledged.
    pub(crate) fn chain_heads(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| job.retry_from == job.id)
    }
}

/// Maps each job to the job that names it as the one it follows.
pub(crate) fn follow_ups(jobs: &HashMap<JobId, Job>) -> HashMap<JobId, JobId> {
    let follow_ups = jobs.values().filter(|job| job.retry_from != job.id);
    follow_ups.map(|job| (job.retry_from, job.id)).collect()
}
