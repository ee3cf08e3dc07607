//! Lists of jobs by filter, newest `scheduledAt` first. One index serves a filter by one thing; several at
//! once walk the narrowest index in small reads, for a bounded time, so that Redis is never held up.

use std::time::Duration;

use tokio::time::Instant;

use super::merge::{Bounds, Merged, STEP};
use super::{Store, StoreError};
use domain::job::{ActionName, Job, JobId, Status, Timestamp, WorkerId};

/// Which jobs; what is not given filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this action.
    pub action: Option<ActionName>,
    /// Claimed by this worker.
    pub worker: Option<WorkerId>,
    /// A child of this job, or of one that it carries on.
    pub parent: Option<JobId>,
    /// In one of these statuses; none is any.
    pub statuses: Vec<Status>,
    /// Due at this moment or later.
    pub since: Option<Timestamp>,
    /// Due at this moment or earlier.
    pub until: Option<Timestamp>,
    /// The one that is due first comes first, and not the one that is due last.
    pub soonest_first: bool,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The page.
    pub jobs: Vec<Job>,
    /// How many jobs the filter matches in all; at least so many when `cut`.
    pub total: u64,
    /// There was no time to look at all jobs: there may be more that match.
    pub cut: bool,
}

/// A walk for a page goes on for so long.
const LIMIT: Duration = Duration::from_secs(2);
/// When the page is full, so many more jobs are looked at to count those that match.
const COUNTED: usize = 5_000;

impl Store {
    /// The jobs that match, from the `start`-th on, at most `limit`.
    pub async fn jobs(
        &self,
        filter: &Filter,
        start: usize,
        limit: usize,
    ) -> Result<JobPage, StoreError> {
        let list = self.list(filter).await?;
        let mut indexes = list.indexes();
        let (ids, total, cut) = match (indexes.pop(), indexes.is_empty()) {
            (Some(index), true) => list.page_of(index, start, limit).await?,
            (last, _) => {
                indexes.extend(last);
                list.walked(indexes, start, limit).await?
            }
        };
        Ok(JobPage { jobs: self.jobs_by_id(&ids).await?, total, cut })
    }

    /// One step of a walk over the jobs that are in a status: how many there are from the `at`-th on, up to a few
    /// hundred, and those of them that match the rest of the filter. For a walk that takes what it finds out of the
    /// status; what others take out meanwhile may make it miss some.
    pub async fn step(
        &self,
        filter: &Filter,
        status: Status,
        at: usize,
    ) -> Result<(usize, Vec<JobId>), StoreError> {
        let filter = &Filter { statuses: Vec::new(), ..filter.clone() };
        let list = self.list(filter).await?;
        let mut index = list.open(vec![self.keys.status(status)]).await?;
        index.seek(at as u64).await?;
        let ids: Vec<JobId> = index.next(STEP).await?.into_iter().map(|(id, _)| id).collect();
        Ok((ids.len(), list.matching(ids, &list.narrowing()).await?))
    }
}

impl Store {
    async fn list<'a>(&'a self, filter: &'a Filter) -> Result<List<'a>, StoreError> {
        let family = match filter.parent {
            Some(parent) => Some(self.family(parent).await?),
            None => None,
        };
        Ok(List { store: self, filter, family })
    }

    /// What the children of a job, or of the one that it carries on, are filed under.
    async fn family(&self, parent: JobId) -> Result<JobId, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(parent)).arg("family");
        let family: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(family.and_then(|family| family.parse().ok()).unwrap_or(parent))
    }
}

struct List<'a> {
    store: &'a Store,
    filter: &'a Filter,
    /// Of `filter.parent`.
    family: Option<JobId>,
}

/// Ids, how many there are in all, and whether there may be more.
type Page = (Vec<JobId>, u64, bool);

impl List<'_> {
    /// What serves each part of the filter; of one that filters nothing, all jobs.
    fn indexes(&self) -> Vec<Vec<String>> {
        let mut indexes = self.narrowing();
        if indexes.is_empty() {
            indexes.push(self.store.keys.all_jobs());
        }
        indexes
    }

    /// What serves each part of the filter: an index, or several that have no job in common.
    fn narrowing(&self) -> Vec<Vec<String>> {
        let keys = &self.store.keys;
        let Filter { action, worker, statuses, .. } = self.filter;
        let by_status = statuses.iter().map(|status| keys.status(*status)).collect();
        let mut indexes = Vec::new();
        indexes.extend(self.family.map(|family| vec![keys.family(family)]));
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

    /// A page of what one index serves.
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

    /// A page of several things at once: the narrowest index is walked, and each job looked for in the others.
    async fn walked(
        &self,
        indexes: Vec<Vec<String>>,
        start: usize,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut narrowest: Option<(Merged, usize)> = None;
        for (place, index) in indexes.iter().enumerate() {
            let index = self.open(index.clone()).await?;
            if narrowest.as_ref().is_none_or(|(one, _)| index.total() < one.total()) {
                narrowest = Some((index, place));
            }
        }
        let Some((mut index, place)) = narrowest else { return Ok((Vec::new(), 0, false)) };
        let mut others = indexes;
        others.remove(place);
        let until = Instant::now() + LIMIT;
        let (mut page, mut total, mut counted) = (Vec::new(), 0_u64, 0);
        loop {
            let found = index.next(STEP).await?;
            if found.is_empty() {
                return Ok((page, total, false));
            }
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
            if counted >= COUNTED || Instant::now() > until {
                return Ok((page, total, true));
            }
        }
    }

    /// Those of these jobs that are in each of the other indexes.
    async fn matching(
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
            let mut places = 0..;
            ids.retain(|_| {
                let place = places.next().unwrap_or_default();
                scores.iter().any(|of| of.get(place).is_some_and(Option::is_some))
            });
        }
        Ok(ids)
    }
}
