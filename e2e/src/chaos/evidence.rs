//! All that is judged, gathered once everything has settled.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::capacity::CapacityMap;
use domain::job::{Job, JobId};
use store::{Change, Dumped, Store, Worker};

use crate::fleet::Fleet;
use crate::load::Book;
use crate::trace::Run;
use crate::watch::Sizes;

pub(crate) struct Evidence {
    /// What was acknowledged.
    pub(crate) book: Book,
    /// What ran, by what ran.
    pub(crate) runs: Vec<Run>,
    /// Every change, in the order in which it was made.
    pub(crate) changes: Vec<Change>,
    /// Every record.
    pub(crate) jobs: HashMap<JobId, Job>,
    /// Which record carries on which: what a deleted one says no more.
    pub(crate) carried_on: HashMap<JobId, JobId>,
    pub(crate) workers: Vec<Worker>,
    /// The whole store.
    pub(crate) world: BTreeMap<String, Dumped>,
    pub(crate) sizes: Sizes,
    /// What each worker's process offered.
    pub(crate) offered: HashMap<u32, (&'static str, CapacityMap)>,
}

/// How many records are read at once.
const PAGE: usize = 500;

impl Evidence {
    pub(crate) async fn gather(
        store: &Store,
        fleet: &Fleet,
        (book, runs): (Book, Vec<Run>),
        (changes, sizes): (Vec<Change>, Sizes),
    ) -> anyhow::Result<Evidence> {
        let world = store.dump().await?;
        let ids = world.keys().filter_map(|key| key.strip_prefix("job:")?.parse().ok());
        let ids: Vec<JobId> = ids.collect();
        let mut jobs = HashMap::new();
        for some in ids.chunks(PAGE) {
            jobs.extend(store.jobs_by_id(some).await?.into_iter().map(|job| (job.id, job)));
        }
        let pids: HashSet<u32> = runs.iter().map(|run| run.worker_pid).collect();
        let offered = pids.into_iter().filter_map(|pid| {
            let (name, capacity) = fleet.capacity_of(pid)?;
            Some((pid, (name, capacity.clone())))
        });
        let (offered, workers) = (offered.collect(), store.workers().await?);
        let carried_on = carried_on(&jobs);
        Ok(Evidence { book, runs, changes, jobs, carried_on, workers, world, sizes, offered })
    }

    /// A job and those that carry it on, first to last.
    pub(crate) fn chain(&self, first: JobId) -> Vec<&Job> {
        let mut chain: Vec<&Job> = Vec::new();
        let mut next = self.jobs.get(&first);
        // A chain that bites its tail must not keep us for ever.
        while let Some(job) = next.filter(|_| chain.len() < 100) {
            chain.push(job);
            let known = job.follow_up.or(self.carried_on.get(&job.id).copied());
            next = known.and_then(|id| self.jobs.get(&id));
        }
        chain
    }

    /// The beginnings of all chains, those too that were never acknowledged.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| job.retry_from == job.id)
    }
}

/// By each record, the one that names it as the one that it carries on.
pub(crate) fn carried_on(jobs: &HashMap<JobId, Job>) -> HashMap<JobId, JobId> {
    let follow = jobs.values().filter(|job| job.retry_from != job.id);
    follow.map(|job| (job.retry_from, job.id)).collect()
}
