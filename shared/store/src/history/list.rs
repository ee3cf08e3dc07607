//! Lists of jobs by filter, newest `scheduledAt` first. A filter with one condition reads a page of
//! its index. One with several walks the narrowest index in small reads, for a bounded time, so
//! that Redis is never held up.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::merge::{Bounds, Merged, STEP};
use crate::error::StoreError;
use crate::store::Store;
use domain::cron::CronName;
use domain::failure::Fingerprint;
use domain::job::{ActionName, Job, JobId, Label, Status, Timestamp, WorkerId};

/// Which jobs to list; all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobFilter {
    /// Only jobs of this action.
    pub action: Option<ActionName>,
    /// Only jobs that this worker has claimed.
    pub worker: Option<WorkerId>,
    /// Only children of this job, or of the jobs that it carries on.
    pub parent: Option<JobId>,
    /// Only jobs in one of these statuses; empty for any.
    pub statuses: Vec<Status>,
    /// Only jobs due at this moment or later.
    pub since: Option<Timestamp>,
    /// Only jobs due at this moment or earlier.
    pub until: Option<Timestamp>,
    /// Only jobs with each of these labels.
    pub labels: Vec<Label>,
    /// Only jobs that this cron created, and those that carry them on.
    pub cron: Option<CronName>,
    /// Only jobs that this owner submitted.
    pub scheduled_by: Option<String>,
    /// Only jobs of this fairness group.
    pub fairness_key: Option<String>,
    /// Only jobs that failed with this fingerprint. It is computed from each record, so name the
    /// statuses too.
    pub fingerprint: Option<Fingerprint>,
    /// Ascending by `scheduledAt`, instead of descending.
    pub soonest_first: bool,
}

/// The ids of a page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobIdPage {
    /// The ids of the jobs.
    pub ids: Vec<JobId>,
    /// How many jobs match in all; a lower bound when `cut`.
    pub total: u64,
    /// The walk has reached its limit: more jobs may match.
    pub cut: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// How many jobs match in all; a lower bound when `cut`.
    pub total: u64,
    /// The walk has reached its limit: more jobs may match.
    pub cut: bool,
}

/// How long a walk for a page may take.
const WALK_LIMIT: Duration = Duration::from_secs(2);
/// How many more jobs a walk looks at when its page is full, to count those that match.
const MOST_COUNTED: usize = 5_000;

impl Store {
    /// The jobs that match, from the `start`-th on, at most `limit`.
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        start: usize,
        limit: usize,
    ) -> Result<JobPage, StoreError> {
        let JobIdPage { ids, total, cut } = self.job_ids(filter, start, limit).await?;
        Ok(JobPage { jobs: self.jobs_by_id(&ids).await?, total, cut })
    }

    /// The ids of these jobs, for a caller that reads them in parts.
    pub async fn job_ids(
        &self,
        filter: &JobFilter,
        start: usize,
        limit: usize,
    ) -> Result<JobIdPage, StoreError> {
        let list = self.list(filter).await?;
        let mut indexes = list.indexes();
        let is_indexed = indexes.len() == 1 && !filter.reads_records();
        let (ids, total, cut) = match indexes.pop() {
            Some(index) if is_indexed => list.page_of(index, start, limit).await?,
            last => {
                indexes.extend(last);
                list.walked(indexes, start, limit).await?
            }
        };
        Ok(JobIdPage { ids, total, cut })
    }
}

impl Store {
    pub(super) async fn list<'a>(&'a self, filter: &'a JobFilter) -> Result<List<'a>, StoreError> {
        let child_group = match filter.parent {
            Some(parent) => Some(self.child_group(parent).await?),
            None => None,
        };
        Ok(List { store: self, filter, child_group })
    }

    /// The child group of a job.
    async fn child_group(&self, parent: JobId) -> Result<JobId, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(parent)).arg("childGroup");
        let group: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(group.and_then(|group| group.parse().ok()).unwrap_or(parent))
    }
}

/// A list of the jobs that match a filter.
pub(super) struct List<'a> {
    pub(super) store: &'a Store,
    filter: &'a JobFilter,
    /// The child group of `filter.parent`.
    child_group: Option<JobId>,
}

/// Ids, how many there are in all, and whether there may be more.
type Page = (Vec<JobId>, u64, bool);

impl List<'_> {
    /// The index of each condition; all jobs when there is none.
    pub(super) fn indexes(&self) -> Vec<Vec<String>> {
        let mut indexes = self.narrowing();
        if indexes.is_empty() {
            indexes.push(self.store.keys.all_jobs());
        }
        indexes
    }

    /// The index of each condition: a sorted set, or several that have no job in common.
    fn narrowing(&self) -> Vec<Vec<String>> {
        let keys = &self.store.keys;
        let JobFilter { action, worker, statuses, .. } = self.filter;
        let by_status = statuses.iter().map(|status| keys.status(*status)).collect();
        let mut indexes = Vec::new();
        indexes.extend(self.child_group.map(|group| vec![keys.child_jobs(group)]));
        indexes.extend(action.as_ref().map(|action| vec![keys.action(action)]));
        indexes.extend(worker.as_ref().map(|worker| vec![keys.jobs_of(worker)]));
        indexes.extend((!statuses.is_empty()).then_some(by_status));
        indexes
    }

    async fn open(&self, keys: Vec<String>) -> Result<Merged, StoreError> {
        let ms = |at: Option<Timestamp>| at.map(Timestamp::ms);
        let bounds = Bounds { since: ms(self.filter.since), until: ms(self.filter.until) };
        Merged::open(self.store, keys, !self.filter.soonest_first, bounds).await
    }

    fn is_within_bounds(&self, score: i64) -> bool {
        self.filter.since.is_none_or(|since| score >= since.ms())
            && self.filter.until.is_none_or(|until| score <= until.ms())
    }

    /// A page of one index.
    async fn page_of(
        &self,
        index: Vec<String>,
        start: usize,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut index = self.open(index).await?;
        index.seek(start as u64).await?;
        let found = index.next(limit as u64).await?;
        Ok((found.into_iter().map(|(id, _)| id).collect(), index.total(), false))
    }

    /// A page of several indexes: walks the narrowest and looks up each job in the others.
    async fn walked(
        &self,
        indexes: Vec<Vec<String>>,
        start: usize,
        limit: usize,
    ) -> Result<Page, StoreError> {
        match self.narrowest(indexes).await? {
            Some(indexes) => self.walk(indexes, None, start, limit).await,
            None => Ok((Vec::new(), 0, false)),
        }
    }

    /// A page of the jobs of an index that are in all others. If the total is known, the walk does
    /// not count.
    pub(super) async fn walk(
        &self,
        (mut index, others): (Merged, Vec<Vec<String>>),
        exact_total: Option<u64>,
        start: usize,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let until = Instant::now() + WALK_LIMIT;
        let (mut page, mut total, mut counted) = (Vec::new(), 0_u64, 0);
        loop {
            let found = index.next(STEP).await?;
            let is_last = found.is_empty();
            let ids: Vec<JobId> = found.into_iter().map(|(id, _)| id).collect();
            if page.len() == limit {
                counted += ids.len();
            }
            for id in self.matching(ids, &others).await? {
                if total >= start as u64 && page.len() < limit {
                    page.push(id);
                }
                total += 1;
            }
            if is_last || (exact_total.is_some() && page.len() == limit) {
                return Ok((page, exact_total.unwrap_or(total), false));
            }
            if counted >= MOST_COUNTED || Instant::now() > until {
                return Ok((page, exact_total.unwrap_or(total), true));
            }
        }
    }

    /// Opens the index with the fewest jobs, and returns the others too.
    pub(super) async fn narrowest(
        &self,
        mut indexes: Vec<Vec<String>>,
    ) -> Result<Option<(Merged, Vec<Vec<String>>)>, StoreError> {
        let mut narrowest: Option<(Merged, usize)> = None;
        for (position, index) in indexes.iter().enumerate() {
            let index = self.open(index.clone()).await?;
            if narrowest.as_ref().is_none_or(|(one, _)| index.total() < one.total()) {
                narrowest = Some((index, position));
            }
        }
        let Some((index, position)) = narrowest else { return Ok(None) };
        indexes.remove(position);
        Ok(Some((index, indexes)))
    }

    /// Those of these jobs that are in each of the other indexes, due within the bounds, and meet
    /// the conditions that no index serves.
    pub(super) async fn matching(
        &self,
        mut ids: Vec<JobId>,
        others: &[Vec<String>],
    ) -> Result<Vec<JobId>, StoreError> {
        for index in others {
            if ids.is_empty() {
                break;
            }
            let (mut connection, _turn) = self.store.walking().await;
            let mut pipe = redis::pipe();
            for key in index {
                pipe.cmd("ZMSCORE").arg(key);
                ids.iter().for_each(|id| {
                    pipe.arg(id.to_string());
                });
            }
            let scores: Vec<Vec<Option<f64>>> = pipe.query_async(&mut connection).await?;
            let mut positions = 0..;
            ids.retain(|_| {
                let position = positions.next().unwrap_or_default();
                let score = scores.iter().find_map(|of| *of.get(position)?);
                score.is_some_and(|score| self.is_within_bounds(score as i64))
            });
        }
        self.store.with_conditions(self.filter, ids).await
    }
}
