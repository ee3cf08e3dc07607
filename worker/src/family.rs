//! The children of a running job, on their way to the store: tried until they are there, and no
//! child twice, however often the job is run.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::job::{Claimed, Exception, JobId, NewJob, Status};
use store::{StoreError, Submission};
use tokio::sync::Mutex;

use crate::actions::StopSignal;
use crate::child::{Child, Parent, WrongChild};
use crate::recorder::until_answered;
use crate::{Life, Service};

/// How many children a run may ask for.
pub(crate) const MOST_CHILDREN: usize = 10_000;
/// How many one call submits: a script blocks Redis.
const STEP: usize = 100;

/// Why children were not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// One of them cannot be; none of those that were asked for together is made.
    #[error("child {0}: {1}")]
    Wrong(usize, WrongChild),
    /// The store refuses one; up to a hundred that were asked for together are not made, nor those
    /// after them.
    #[error("child {0}: {1}")]
    Refused(usize, String),
    /// A run has so many at most.
    #[error("a run may ask for {MOST_CHILDREN} children, not for {0}")]
    TooMany(usize),
    /// The claim on the job is lost: what this run says does not count any more.
    #[error("the claim on the job is lost")]
    Lost,
}

impl From<SpawnError> for Exception {
    fn from(error: SpawnError) -> Exception {
        Exception::new("BadChild", error.to_string())
    }
}

/// Where an action asks for children, and for waiting for them. Cheap to clone.
#[derive(Clone)]
pub struct Family(Arc<Inner>);

struct Inner {
    service: Arc<Service>,
    life: Life,
    job: Claimed,
    signal: StopSignal,
    awaited: AtomicBool,
    so_far: Mutex<SoFar>,
}

/// What this run has asked for.
#[derive(Default)]
struct SoFar {
    origin: Option<Origin>,
    same: HashMap<String, u32>,
    count: usize,
}

/// Where a job comes from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// The first of those that it carries on.
    root: JobId,
    /// Somebody had it run again after all was over, and has looked at the children that failed.
    anew: bool,
}

impl Family {
    pub(crate) fn of(
        service: &Arc<Service>,
        life: &Life,
        job: &Claimed,
        signal: &StopSignal,
    ) -> Family {
        Family(Arc::new(Inner {
            service: Arc::clone(service),
            life: life.clone(),
            job: job.clone(),
            signal: signal.clone(),
            awaited: AtomicBool::new(false),
            so_far: Mutex::default(),
        }))
    }

    /// Makes children; their ids, in the order asked. One that an earlier run has made is left as
    /// it is.
    pub async fn spawn(&self, children: Vec<Child>) -> Result<Vec<JobId>, SpawnError> {
        let mut ids = Vec::with_capacity(children.len());
        self.spawn_after(&mut ids, children).await?;
        Ok(ids)
    }

    /// The same, and `#0` is the first of `earlier`, to which they are added.
    pub(crate) async fn spawn_after(
        &self,
        earlier: &mut Vec<JobId>,
        children: Vec<Child>,
    ) -> Result<(), SpawnError> {
        let store = &self.0.service.store;
        let mut so_far = self.0.so_far.lock().await;
        let count = so_far.count + children.len();
        if count > MOST_CHILDREN {
            return Err(SpawnError::TooMany(count));
        }
        let origin = match so_far.origin {
            Some(origin) => origin,
            None => *so_far.origin.insert(self.origin().await?),
        };
        let defaults = self.answered(|| store.action_defaults()).await?;
        let (mut same, mut all) = (so_far.same.clone(), earlier.clone());
        let parent = Parent { id: self.0.job.id, root: origin.root, spec: &self.0.job.spec };
        let mut jobs = Vec::with_capacity(children.len());
        for child in children {
            let job = child.job(&parent, &mut same, &all, &defaults);
            let job = job.map_err(|wrong| SpawnError::Wrong(all.len(), wrong))?;
            all.push(job.id);
            jobs.push(job);
        }
        self.refuse_greedy(&jobs, earlier.len()).await?;
        (so_far.same, so_far.count) = (same, count);
        for some in jobs.chunks(STEP) {
            let known = self.submit(some, earlier).await?;
            if origin.anew {
                self.carry_on(&known).await?;
            }
        }
        Ok(())
    }

    /// When the run ends well its job waits for its children, without a worker, and is over when
    /// they are: `done`, or `error` when one of them did not succeed.
    pub fn await_children(&self) {
        self.0.awaited.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.0.awaited.load(Ordering::Relaxed)
    }

    /// Follows the job back to the first that it carries on. Of one whose history is cut, that is
    /// what its children are filed under.
    async fn origin(&self) -> Result<Origin, SpawnError> {
        let (id, store) = (self.0.job.id, &self.0.service.store);
        if self.0.job.attempt == 1 {
            return Ok(Origin { root: id, anew: false });
        }
        let me = self.answered(|| store.job(id)).await?.ok_or(SpawnError::Lost)?;
        let (anew, family, mut root) = (me.failed_children == 0, me.family, me.retry_from);
        loop {
            match self.answered(|| store.job(root)).await? {
                Some(earlier) if earlier.retry_from == root => break,
                Some(earlier) if earlier.status != Status::Deleted => root = earlier.retry_from,
                Some(_) | None => {
                    root = family.unwrap_or(root);
                    break;
                }
            }
        }
        Ok(Origin { root, anew })
    }

    /// Refuses what would wait for ever: a child that needs more permits of a lock than there are.
    async fn refuse_greedy(&self, jobs: &[NewJob], first: usize) -> Result<(), SpawnError> {
        let needs = jobs.iter().enumerate().flat_map(|(place, job)| {
            job.spec.locks.iter().map(move |(name, need)| (first + place, name.clone(), need))
        });
        let needs: Vec<_> = needs.filter(|(_, _, need)| *need > 1).collect();
        let names: Vec<_> = needs.iter().map(|(_, name, _)| name.clone()).collect();
        let store = &self.0.service.store;
        let permits = self.answered(|| store.permits_each(&names)).await?;
        for ((place, name, need), all) in needs.into_iter().zip(permits) {
            if need > all {
                let why = format!("lock {name} has {all} permits, and it needs {need}");
                return Err(SpawnError::Refused(place, why));
            }
        }
        Ok(())
    }

    /// Submits some, adds their ids to `ids`, and returns those that were there already.
    async fn submit(
        &self,
        jobs: &[NewJob],
        ids: &mut Vec<JobId>,
    ) -> Result<Vec<JobId>, SpawnError> {
        let store = &self.0.service.store;
        let first = ids.len();
        let submitted = self.answered(async || match store.submit(jobs).await {
            // An ordinary refusal: asking again would not help, and the worker is well.
            Err(StoreError::Relation(bad)) => {
                Ok(Err(SpawnError::Refused(first + bad.place, bad.to_string())))
            }
            Err(error @ StoreError::TooManyQueues(_)) => {
                Ok(Err(SpawnError::Refused(first, error.to_string())))
            }
            answer => answer.map(Ok),
        });
        let submitted = submitted.await??;
        ids.extend(submitted.iter().map(|one| one.id));
        let known = submitted.iter().filter(|one| one.word == Submission::Known);
        Ok(known.map(|one| one.id).collect())
    }

    /// Has another go at children of earlier runs that did not succeed.
    async fn carry_on(&self, known: &[JobId]) -> Result<(), SpawnError> {
        let store = &self.0.service.store;
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

    /// Calls the store until it answers, or until it does not matter any more.
    async fn answered<T, Calling>(&self, call: impl FnMut() -> Calling) -> Result<T, SpawnError>
    where
        Calling: Future<Output = Result<T, StoreError>>,
    {
        let lost = self.0.signal.borrow().is_some_and(|stop| stop.ends_all_talk());
        if lost {
            return Err(SpawnError::Lost);
        }
        until_answered(&self.0.life, call).await.ok_or(SpawnError::Lost)
    }
}
