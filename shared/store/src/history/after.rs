//! Steps of a walk that changes jobs: each continues after a job, wherever that job is by then.

use super::JobFilter;
use super::merge::STEP;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::JobId;

/// Jobs of a list after a certain one.
#[derive(Debug, Default)]
pub(crate) struct JobsAfter {
    /// The ids of those that match.
    pub(crate) ids: Vec<JobId>,
    /// How many jobs the step looked at.
    pub(crate) examined: u64,
    /// How many jobs there were to look at, in this step and later ones.
    pub(crate) left: u64,
    /// The last job that the step looked at; `None` if none is left.
    pub(crate) last: Option<(JobId, i64)>,
}

impl Store {
    /// The matching ones among the few hundred jobs after this one in the order of the list, given
    /// by its id and `scheduledAt`. Finds every job that matches throughout a walk, also while
    /// others begin or cease to match.
    pub(crate) async fn jobs_after(
        &self,
        filter: &JobFilter,
        after: Option<(JobId, i64)>,
    ) -> Result<JobsAfter, StoreError> {
        let list = self.list(filter).await?;
        let Some((mut index, others)) = list.narrowest(list.indexes()).await? else {
            return Ok(JobsAfter::default());
        };
        if let Some(after) = after {
            index.seek_after(after).await?;
        }
        let left = index.left();
        let found = index.next(STEP).await?;
        let (last, examined) = (found.last().copied(), found.len() as u64);
        let ids = found.into_iter().map(|(id, _)| id).collect();
        let last = last.filter(|_| examined == STEP);
        Ok(JobsAfter { ids: list.matching(ids, &others).await?, examined, left, last })
    }
}
