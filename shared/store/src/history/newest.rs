//! Lists in the order of submission, the newest first. Without a filter, the index of numbers serves
//! them. With one, a short index is read as a whole and sorted; otherwise a walk over the numbers,
//! for a bounded time, looks up each job in the indexes of the filter.

use super::JobFilter;
use super::list::{JobIdPage, List};
use super::merge::{Bounds, Merged, STEP};
use crate::error::StoreError;
use crate::store::Store;
use domain::job::JobId;

/// An index with at most so many jobs is read as a whole.
const MOST_SORTED: u64 = 1_000;

impl Store {
    /// The ids of the jobs that match, from the `start`-th on, at most `limit`, the newest submitted
    /// first.
    pub async fn newest_job_ids(
        &self,
        filter: &JobFilter,
        start: usize,
        limit: usize,
    ) -> Result<JobIdPage, StoreError> {
        let mut numbers =
            Merged::open(self, vec![self.keys.numbers()], true, Bounds::default()).await?;
        if (JobFilter { soonest_first: false, ..filter.clone() }) == JobFilter::default() {
            numbers.seek(start as u64).await?;
            let found = numbers.next(limit as u64).await?;
            let ids = found.into_iter().map(|(id, _)| id).collect();
            return Ok(JobIdPage { ids, total: numbers.total(), cut: false });
        }
        let list = self.list(filter).await?;
        let indexes = list.indexes();
        let is_exact = indexes.len() == 1 && !filter.reads_records();
        let Some((narrowest, others)) = list.narrowest(indexes.clone()).await? else {
            return Ok(JobIdPage::default());
        };
        if narrowest.total() <= MOST_SORTED {
            return list.sorted((narrowest, others), start, limit).await;
        }
        let exact_total = is_exact.then(|| narrowest.total());
        let (ids, total, cut) = list.walk((numbers, indexes), exact_total, start, limit).await?;
        Ok(JobIdPage { ids, total, cut })
    }
}

impl List<'_> {
    /// A page of an index that is read as a whole.
    async fn sorted(
        &self,
        (mut index, others): (Merged, Vec<Vec<String>>),
        start: usize,
        limit: usize,
    ) -> Result<JobIdPage, StoreError> {
        let mut numbered: Vec<(u64, JobId)> = Vec::new();
        loop {
            let found = index.next(STEP).await?;
            if found.is_empty() {
                break;
            }
            let ids = found.into_iter().map(|(id, _)| id).collect();
            let ids = self.matching(ids, &others).await?;
            let numbers: Vec<Option<u64>> = self.store.field_of(&ids, "number").await?;
            numbered.extend(numbers.into_iter().map(Option::unwrap_or_default).zip(ids));
        }
        numbered.sort_unstable_by(|a, b| b.cmp(a));
        let total = numbered.len() as u64;
        let ids = numbered.into_iter().skip(start).take(limit).map(|(_, id)| id).collect();
        Ok(JobIdPage { ids, total, cut: false })
    }
}
