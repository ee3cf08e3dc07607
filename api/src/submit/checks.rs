//! What is checked with plain reads before jobs are submitted. The locks of any job; and what a large
//! batch names, because once it is kept, no job of it is refused. It may all be otherwise a moment
//! later: the scripts settle that.

use std::collections::{HashMap, HashSet};

use shared::job::{JobId, NewJob, Status};
use shared::lock::LockName;
use shared::store::{BadRelation, Related, Relation, Store, StoreError};

use crate::error::Error;

/// How many permits the locks have of which some job needs more than one: one there always is.
pub(super) async fn permits<'a>(
    store: &Store,
    jobs: impl IntoIterator<Item = &'a NewJob>,
) -> Result<HashMap<LockName, u32>, StoreError> {
    let locks = jobs.into_iter().flat_map(|job| job.spec.locks.iter());
    let names: HashSet<LockName> =
        locks.filter(|(_, need)| *need > 1).map(|(name, _)| name.clone()).collect();
    let names: Vec<LockName> = names.into_iter().collect();
    let permits = store.permits_each(&names).await?;
    Ok(names.into_iter().zip(permits).collect())
}

/// Refuses a job that needs more permits than there are.
pub(super) fn refuse_greedy(job: &NewJob, permits: &HashMap<LockName, u32>) -> Result<(), Error> {
    for (name, need) in job.spec.locks.iter() {
        let all = permits.get(name).copied().unwrap_or(1);
        if need > all {
            let s = if all == 1 { "" } else { "s" };
            let why = format!("lock {name} has {all} permit{s}, and it needs {need}");
            return Err(Error::invalid("locks", why));
        }
    }
    Ok(())
}

/// Refuses a batch of which a job names another that it must not name, as `submit.lua` does with
/// jobs that are not kept first.
pub(super) async fn refuse_bad_relations(store: &Store, jobs: &[NewJob]) -> Result<(), StoreError> {
    let named = jobs.iter().flat_map(|job| job.spec.depends_on.iter().chain(&job.spec.parent));
    let mine: HashMap<JobId, usize> =
        jobs.iter().enumerate().map(|(place, job)| (job.id, place)).collect();
    let others: HashSet<JobId> = named.copied().filter(|id| !mine.contains_key(id)).collect();
    if others.is_empty() && jobs.iter().all(|job| job.spec.parent.is_none()) {
        return Ok(());
    }
    let others: Vec<JobId> = others.into_iter().collect();
    let others = store.related(&others).await?;
    let batch = Relations { jobs, mine, others };
    for (place, job) in jobs.iter().enumerate() {
        if let Some((kind, id)) = batch.refused(job) {
            return Err(BadRelation { kind, place, id }.into());
        }
    }
    Ok(())
}

struct Relations<'a> {
    jobs: &'a [NewJob],
    mine: HashMap<JobId, usize>,
    others: HashMap<JobId, Related>,
}

impl Relations<'_> {
    /// What is wrong with a job that this one names.
    fn refused(&self, job: &NewJob) -> Option<(Relation, JobId)> {
        let parent = job.spec.parent.and_then(|parent| self.others.get(&parent));
        if let Some(id) = job.spec.parent
            && !self.mine.contains_key(&id)
            && parent.is_none_or(|parent| ends(parent.last.status))
        {
            return Some((Relation::ParentOver, id));
        }
        // A child waits for its siblings only, or for what is over.
        let family = parent.map(|parent| parent.last.family.unwrap_or(parent.last.id));
        let may_wait_for = |id: &JobId| match (self.mine.get(id), self.others.get(id)) {
            (Some(place), _) => self.jobs[*place].spec.parent == job.spec.parent,
            (None, Some(on)) => {
                on.named.status.is_final() || (family.is_some() && on.named.parent == family)
            }
            (None, None) => false,
        };
        let is_there = |id: &JobId| self.mine.contains_key(id) || self.others.contains_key(id);
        for id in &job.spec.depends_on {
            if !is_there(id) {
                return Some((Relation::UnknownDependency, *id));
            }
            if job.spec.parent.is_some() && !may_wait_for(id) {
                return Some((Relation::ForeignDependency, *id));
            }
        }
        None
    }
}

/// True for a job that has no more children.
fn ends(status: Status) -> bool {
    status.is_final() || status == Status::CancelRequest
}
