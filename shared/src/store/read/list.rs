//! Lists of jobs by filter, newest `scheduledAt` first. One index serves a filter by one thing; several at
//! once walk the narrowest index in small reads, for a bounded time, so that Redis is never held up.

use std::time::Duration;

use tokio::time::Instant;

use super::merge::{Bounds, Merged, STEP};
use super::{Store, StoreError};
use crate::job::{ActionName, Job, JobId, Status, Timestamp, WorkerId};

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
        let filter = &Filter { statuses: vec![status], ..filter.clone() };
        let list = self.list(filter).await?;
        let mut index = list.open(vec![self.keys.status(status)]).await?;
        index.seek(at as u64).await?;
        let ids: Vec<JobId> = index.next(STEP).await?.into_iter().map(|(id, _)| id).collect();
        let narrowed =
            filter.action.is_some() || filter.worker.is_some() || filter.parent.is_some();
        if ids.is_empty() || !narrowed {
            return Ok((ids.len(), ids));
        }
        Ok((ids.len(), list.matching(&ids).await?))
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
    /// What serves each part of the filter: an index, or several that have no job in common. Of one that filters
    /// nothing, all jobs.
    fn indexes(&self) -> Vec<Vec<String>> {
        let keys = &self.store.keys;
        let Filter { action, worker, statuses, .. } = self.filter;
        let by_status = statuses.iter().map(|status| keys.status(*status)).collect();
        let mut indexes = Vec::new();
        indexes.extend(self.family.map(|family| vec![keys.family(family)]));
        indexes.extend(action.as_ref().map(|action| vec![keys.action(action)]));
        indexes.extend(worker.as_ref().map(|worker| vec![keys.jobs_of(worker)]));
        indexes.extend((!statuses.is_empty()).then_some(by_status));
        if indexes.is_empty() {
            indexes.push(vec![keys.jobs()]);
        }
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

    /// A page of several things at once: the narrowest index is walked, each job is looked at.
    async fn walked(
        &self,
        indexes: Vec<Vec<String>>,
        start: usize,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut narrowest: Option<Merged> = None;
        for index in indexes {
            let index = self.open(index).await?;
            if narrowest.as_ref().is_none_or(|one| index.total() < one.total()) {
                narrowest = Some(index);
            }
        }
        let Some(mut index) = narrowest else { return Ok((Vec::new(), 0, false)) };
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
            for id in self.matching(&ids).await? {
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

    async fn matching(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let mut pipe = redis::pipe();
        for id in ids {
            let fields = ["status", "action", "workerID", "parent"];
            pipe.cmd("HMGET").arg(self.store.keys.job(*id)).arg(&fields[..]);
        }
        let family = self.family.map(|family| family.to_string());
        let found: Vec<[Option<String>; 4]> =
            pipe.query_async(&mut self.store.connection.clone()).await?;
        let matches = |[status, action, worker, parent]: &[Option<String>; 4]| {
            let wanted = self.filter.action.as_ref().map(ActionName::as_str);
            let wanted_worker = self.filter.worker.as_ref().map(WorkerId::as_str);
            let statuses = &self.filter.statuses;
            (wanted.is_none() || action.as_deref() == wanted)
                && (family.is_none() || *parent == family)
                && (wanted_worker.is_none() || worker.as_deref() == wanted_worker)
                && (statuses.is_empty()
                    || statuses.iter().any(|one| status.as_deref() == Some(one.as_str())))
        };
        let both = ids.iter().zip(&found);
        Ok(both.filter(|(_, fields)| matches(fields)).map(|(id, _)| *id).collect())
    }
}
