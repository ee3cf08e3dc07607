//! A walk over the jobs that match a filter, for conditions that only the whole job shows. It reads
//! in small steps, and walks take turns, so that Redis is never held up.

use super::list::JobFilter;
use super::merge::Merged;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::{Job, JobId};

/// How many jobs one step looks at. It reads the whole records, which may be large.
const WALK_STEP: u64 = 100;

/// A walk over the jobs that match a filter, in the order of the filter.
pub struct JobWalk {
    store: Store,
    filter: JobFilter,
    /// The index that is read; `None` if no job can match.
    index: Option<Merged>,
    /// The indexes in which each job is looked up.
    others: Vec<Vec<String>>,
}

impl Store {
    /// Begins a walk over the jobs that match a filter.
    pub async fn job_walk(&self, filter: JobFilter) -> Result<JobWalk, StoreError> {
        let list = self.list(&filter).await?;
        let (index, others) = list.narrowest(list.indexes()).await?.unzip();
        Ok(JobWalk { store: self.clone(), filter, index, others: others.unwrap_or_default() })
    }
}

impl JobWalk {
    /// How many jobs the walk looks at, at most.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.index.as_ref().map_or(0, Merged::total)
    }

    /// The next jobs that match, a hundred at most; `None` at the end. Jobs that were removed
    /// meanwhile are left out.
    pub async fn next(&mut self) -> Result<Option<Vec<Job>>, StoreError> {
        let Some(index) = &mut self.index else { return Ok(None) };
        let found = index.next(WALK_STEP).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let ids: Vec<JobId> = found.into_iter().map(|(id, _)| id).collect();
        let ids = self.store.list(&self.filter).await?.matching(ids, &self.others).await?;
        let (_, _turn) = self.store.walking().await;
        self.store.jobs_by_id(&ids).await.map(Some)
    }
}
