//! Checks with plain reads before jobs are submitted: the locks of any job, and the relations of a
//! batch, because a job of a stored batch can no longer be refused. The state may change between
//! check and submission; the scripts handle that.

use std::collections::{HashMap, HashSet};

use domain::job::{JobId, NewJob, Status};
use domain::lock::LockName;
use store::{InvalidRelation, RelatedJob, RelationProblem, Store, StoreError};

use crate::error::Error;

/// Returns the permits of the locks of which a job needs more than one. Every lock has at least
/// one. Those of a rate limit are its burst.
pub(super) async fn permits<'a>(
    store: &Store,
    jobs: impl IntoIterator<Item = &'a NewJob>,
) -> Result<HashMap<LockName, u32>, StoreError> {
    let locks = jobs.into_iter().flat_map(|job| job.spec.locks.iter());
    let names: HashSet<LockName> =
        locks.filter(|(_, need)| *need > 1).map(|(name, _)| name.clone()).collect();
    let (rates, locks): (Vec<LockName>, Vec<LockName>) =
        names.into_iter().partition(|name| name.rate_key().is_some());
    let permits = store.permits_each(&locks).await?;
    let mut permits: HashMap<LockName, u32> = locks.into_iter().zip(permits).collect();
    if !rates.is_empty() {
        let limits = store.rate_limits().await?;
        permits.extend(rates.into_iter().map(|name| {
            let limit = name.rate_key().and_then(|key| limits.of_key(key));
            let burst = limit.map_or(u32::MAX, |(_, limit)| limit.burst());
            (name, burst)
        }));
    }
    Ok(permits)
}

/// Refuses a job that needs more permits of a lock than the lock has, or counts as more starts than
/// a rate limit allows at once.
pub(super) fn require_permits(job: &NewJob, permits: &HashMap<LockName, u32>) -> Result<(), Error> {
    for (name, need) in job.spec.locks.iter() {
        let all = permits.get(name).copied().unwrap_or(1);
        if need > all {
            if let Some(key) = name.rate_key() {
                let why = format!("{key} allows {all} at once, but the job counts as {need}");
                return Err(Error::invalid("rates", why));
            }
            let s = if all == 1 { "" } else { "s" };
            let why = format!("lock {name} has {all} permit{s}, but the job needs {need}");
            return Err(Error::invalid("locks", why));
        }
    }
    Ok(())
}

/// Refuses a batch in which a job has an invalid parent or dependency, by the same rules as
/// `submit.lua`.
pub(super) async fn check_relations(store: &Store, jobs: &[NewJob]) -> Result<(), StoreError> {
    let named = jobs.iter().flat_map(|job| job.spec.depends_on.iter().chain(&job.spec.parent));
    let own: HashMap<JobId, usize> =
        jobs.iter().enumerate().map(|(index, job)| (job.id, index)).collect();
    let others: HashSet<JobId> = named.copied().filter(|id| !own.contains_key(id)).collect();
    if others.is_empty() && jobs.iter().all(|job| job.spec.parent.is_none()) {
        return Ok(());
    }
    let others: Vec<JobId> = others.into_iter().collect();
    let others = store.related(&others).await?;
    let relations = Relations { jobs, own, others };
    for (index, job) in jobs.iter().enumerate() {
        if let Some((kind, id)) = relations.invalid(job) {
            return Err(InvalidRelation { kind, index, id }.into());
        }
    }
    Ok(())
}

/// The jobs that a batch names: its own by their index, and others.
struct Relations<'a> {
    jobs: &'a [NewJob],
    own: HashMap<JobId, usize>,
    others: HashMap<JobId, RelatedJob>,
}

impl Relations<'_> {
    /// Returns the first invalid relation of a job.
    fn invalid(&self, job: &NewJob) -> Option<(RelationProblem, JobId)> {
        let parent = job.spec.parent.and_then(|parent| self.others.get(&parent));
        if let Some(id) = job.spec.parent
            && !self.own.contains_key(&id)
        {
            match parent {
                None => return Some((RelationProblem::UnknownParent, id)),
                Some(parent) if takes_no_children(parent.last.status) => {
                    return Some((RelationProblem::ParentOver, id));
                }
                Some(_) => {}
            }
        }
        // A child may depend on its siblings and on finished jobs only.
        let siblings = parent.map(|parent| parent.last.child_group.unwrap_or(parent.last.id));
        let may_depend_on = |id: &JobId| match (self.own.get(id), self.others.get(id)) {
            (Some(index), _) => self.jobs[*index].spec.parent == job.spec.parent,
            (None, Some(on)) => {
                on.named.status.is_final()
                    || (siblings.is_some() && on.named.parent_group == siblings)
            }
            (None, None) => false,
        };
        let exists = |id: &JobId| self.own.contains_key(id) || self.others.contains_key(id);
        for id in &job.spec.depends_on {
            if !exists(id) {
                return Some((RelationProblem::UnknownDependency, *id));
            }
            if job.spec.parent.is_some() && !may_depend_on(id) {
                return Some((RelationProblem::ForeignDependency, *id));
            }
        }
        None
    }
}

/// Returns true for a job that cannot get further children.
fn takes_no_children(status: Status) -> bool {
    status.is_final() || status == Status::CancelRequest
}
