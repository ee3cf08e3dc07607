//! The child jobs of a running job. Submissions are repeated until the store answers, and no child
//! is created twice, however often the job runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::job::{ClaimedJob, Exception, Job, JobId, NewJob, Status};
use store::{StoreError, Submission, submission_steps};
use tokio::sync::Mutex;

use super::child::{Child, InvalidChild, ParentJob};
use super::retrying_store::RetryingStore;
use super::stop::StopSignal;

/// How many children one run may create.
const MAX_CHILDREN: usize = 10_000;

/// Why children were not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// A child is invalid; none of the children of this call were created.
    #[error("child {0}: {1}")]
    Invalid(usize, InvalidChild),
    /// The store refused a child. The children of its batch (at most 100) and those after it were
    /// not created.
    #[error("child {0}: {1}")]
    Refused(usize, String),
    /// The run would have too many children.
    #[error("a run may create at most {MAX_CHILDREN} children, got {0}")]
    TooMany(usize),
    /// The claim on the job is lost: writes of this run no longer count.
    #[error("the claim on the job is lost")]
    ClaimLost,
    /// The store cannot do it, because a record cannot be read. Some children may exist.
    #[error("the store cannot create children: {0}")]
    Unreadable(String),
}

impl From<SpawnError> for Exception {
    fn from(error: SpawnError) -> Exception {
        Exception::new("BadChild", error.to_string())
    }
}

/// Creates the child jobs of a run. Cheap to clone.
#[derive(Clone)]
pub struct ChildJobs(Arc<SpawnState>);

struct SpawnState {
    store: RetryingStore,
    job: ClaimedJob,
    stop: StopSignal,
    awaited: AtomicBool,
    created: Mutex<Created>,
}

/// What this run has created so far.
#[derive(Default)]
struct Created {
    lineage: Option<Lineage>,
    ordinals: HashMap<String, u32>,
    count: usize,
}

/// Which earlier jobs this job retries.
#[derive(Debug, Clone, Copy)]
struct Lineage {
    /// The first job of the chain of retries. The ids of children derive from its id.
    root: JobId,
    /// The job was retried by hand after it had ended, so its failed children are retried too.
    retried_by_hand: bool,
}

impl ChildJobs {
    pub(crate) fn new(store: RetryingStore, job: &ClaimedJob, stop: &StopSignal) -> ChildJobs {
        ChildJobs(Arc::new(SpawnState {
            store,
            job: job.clone(),
            stop: stop.clone(),
            awaited: AtomicBool::new(false),
            created: Mutex::default(),
        }))
    }

    /// Creates children and returns their ids, in order. A child that an earlier run created is
    /// left unchanged.
    pub async fn spawn(&self, children: Vec<Child>) -> Result<Vec<JobId>, SpawnError> {
        let mut ids = Vec::with_capacity(children.len());
        self.spawn_after(&mut ids, children).await?;
        Ok(ids)
    }

    /// Creates children and appends their ids to `siblings`, to which `#0`, `#1`, … in
    /// `dependsOn` refer.
    pub(crate) async fn spawn_after(
        &self,
        siblings: &mut Vec<JobId>,
        children: Vec<Child>,
    ) -> Result<(), SpawnError> {
        let store = &self.0.store.store;
        let mut created = self.0.created.lock().await;
        let count = created.count + children.len();
        if count > MAX_CHILDREN {
            return Err(SpawnError::TooMany(count));
        }
        let lineage = match created.lineage {
            Some(lineage) => lineage,
            None => *created.lineage.insert(self.lineage().await?),
        };
        let defaults = self.answered(|| store.action_defaults()).await?;
        let (mut ordinals, mut all) = (created.ordinals.clone(), siblings.clone());
        let parent = ParentJob { id: self.0.job.id, root: lineage.root, spec: &self.0.job.spec };
        let mut jobs = Vec::with_capacity(children.len());
        for child in children {
            let job = child.job(&parent, &mut ordinals, &all, &defaults);
            let job = job.map_err(|invalid| SpawnError::Invalid(all.len(), invalid))?;
            all.push(job.id);
            jobs.push(job);
        }
        self.refuse_unlockable(&jobs, siblings.len()).await?;
        (created.ordinals, created.count) = (ordinals, count);
        for step in submission_steps(&jobs) {
            let known = self.submit(step, siblings).await?;
            if lineage.retried_by_hand {
                self.retry_failed(&known).await?;
            }
        }
        Ok(())
    }

    /// Makes the job wait for its children after the run succeeds. It occupies no worker while it
    /// waits. It ends as `done`, or as `error` when a child does not succeed.
    pub fn await_children(&self) {
        self.0.awaited.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.0.awaited.load(Ordering::Relaxed)
    }

    /// Finds the first job of the chain of retries. Records from before they named it lead back one
    /// by one. When the history of the chain is cut, the root is the id under which the store files
    /// the job's children.
    async fn lineage(&self) -> Result<Lineage, SpawnError> {
        let (id, store) = (self.0.job.id, &self.0.store.store);
        if self.0.job.attempt == 1 {
            return Ok(Lineage { root: id, retried_by_hand: false });
        }
        let this = self.answered(|| store.job(id)).await?.ok_or(SpawnError::ClaimLost)?;
        let (retried_by_hand, mut root) = (this.failed_children == 0, earlier_than(&this));
        loop {
            match self.answered(|| store.job(root)).await? {
                Some(earlier) if earlier.retry_from == root => break,
                Some(earlier) if earlier.status != Status::Deleted => root = earlier_than(&earlier),
                Some(_) | None => {
                    root = this.child_group.unwrap_or(root);
                    break;
                }
            }
        }
        Ok(Lineage { root, retried_by_hand })
    }

    /// Refuses a child that needs more permits of a lock than the lock has: it would never run.
    async fn refuse_unlockable(&self, jobs: &[NewJob], first: usize) -> Result<(), SpawnError> {
        let needs = jobs.iter().enumerate().flat_map(|(index, job)| {
            job.spec.locks.iter().map(move |(name, need)| (first + index, name.clone(), need))
        });
        let needs = needs.filter(|(_, name, need)| *need > 1 && name.rate_key().is_none());
        let needs: Vec<_> = needs.collect();
        let names: Vec<_> = needs.iter().map(|(_, name, _)| name.clone()).collect();
        let store = &self.0.store.store;
        let permits = self.answered(|| store.permits_each(&names)).await?;
        for ((index, name, need), permits) in needs.into_iter().zip(permits) {
            if need > permits {
                let why = format!("needs {need} permits of lock {name}, which has {permits}");
                return Err(SpawnError::Refused(index, why));
            }
        }
        Ok(())
    }

    /// Submits one step, appends its ids to `ids`, and returns those that already existed.
    async fn submit(
        &self,
        jobs: &[NewJob],
        ids: &mut Vec<JobId>,
    ) -> Result<Vec<JobId>, SpawnError> {
        let store = &self.0.store.store;
        let first = ids.len();
        let submitted = self.answered(async || match store.submit(jobs).await {
            // Refusals of the request itself: a retry would get the same answer.
            Err(StoreError::Relation(bad)) => {
                Ok(Err(SpawnError::Refused(first + bad.index, bad.to_string())))
            }
            Err(error @ (StoreError::TooManyQueues(_) | StoreError::QuotaExceeded(_))) => {
                Ok(Err(SpawnError::Refused(first, error.to_string())))
            }
            answer => answer.map(Ok),
        });
        let submitted = submitted.await??;
        ids.extend(submitted.iter().map(|one| one.id));
        let known = submitted.iter().filter(|one| one.outcome == Submission::Known);
        Ok(known.map(|one| one.id).collect())
    }

    /// Retries those children of earlier runs that ended without success.
    async fn retry_failed(&self, known: &[JobId]) -> Result<(), SpawnError> {
        let store = &self.0.store.store;
        if known.is_empty() {
            return Ok(());
        }
        for child in self.answered(|| store.related(known)).await?.into_values() {
            let failed = child.last.status.is_final()
                && !matches!(child.last.status, Status::Done | Status::Deleted);
            if failed {
                let follow_up = JobId::random();
                self.answered(|| store.retry(child.last.id, follow_up)).await?;
            }
        }
        Ok(())
    }

    /// Repeats a call while the store is unavailable and the claim is not lost.
    async fn answered<T, Calling>(&self, call: impl FnMut() -> Calling) -> Result<T, SpawnError>
    where
        Calling: Future<Output = Result<T, StoreError>>,
    {
        if self.0.stop.borrow().is_some_and(|reason| reason.voids_claim()) {
            return Err(SpawnError::ClaimLost);
        }
        let answer = self.0.store.until_answered(call).await.ok_or(SpawnError::ClaimLost)?;
        answer.map_err(|error| SpawnError::Unreadable(error.to_string()))
    }
}

/// The earliest job known to be before this one in its chain of retries.
fn earlier_than(job: &Job) -> JobId {
    if job.first == job.id { job.retry_from } else { job.first }
}
