//! Lists of jobs by filter, newest `scheduledAt` first. One index serves a filter by one thing; several at
//! once walk the narrowest index in small reads, so that Redis is never held up.

use super::super::connection::Connection;
use super::{Store, StoreError};
use crate::job::{ActionName, Job, JobId, Status, Timestamp, WorkerId};

/// Which jobs; what is not given filters nothing.
#[derive(Debug, Clone, Default)]
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
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPage {
    /// The page.
    pub jobs: Vec<Job>,
    /// How many jobs the filter matches in all.
    pub total: u64,
}

/// Ids and scores that one small read of a walk asks for.
const STEP: usize = 500;

impl Store {
    /// The jobs that match, from the `start`-th on, at most `limit`.
    pub async fn jobs(
        &self,
        filter: &Filter,
        start: usize,
        limit: usize,
    ) -> Result<JobPage, StoreError> {
        let list = List { store: self, filter };
        if let Some(parent) = filter.parent {
            let index = self.family_index(parent).await?;
            let alone = filter.action.is_none() && filter.worker.is_none();
            let (ids, total) = if alone && filter.statuses.is_empty() {
                list.page_of(index, start, limit).await?
            } else {
                list.walked_along(&index, start, limit).await?
            };
            return Ok(JobPage { jobs: self.jobs_by_id(&ids).await?, total });
        }
        let (ids, total) = match (&filter.action, &filter.worker, &filter.statuses[..]) {
            (None, None, []) => list.page_of(self.keys.jobs(), start, limit).await?,
            (None, None, [one]) => list.page_of(self.keys.status(*one), start, limit).await?,
            (None, None, several) => list.merged(several, start, limit).await?,
            (Some(action), None, []) => {
                list.page_of(self.keys.action(action), start, limit).await?
            }
            (None, Some(worker), []) => {
                list.page_of(self.keys.jobs_of(worker), start, limit).await?
            }
            (Some(_), Some(_), _) | (Some(_), None, _) | (None, Some(_), _) => {
                list.walked(start, limit).await?
            }
        };
        Ok(JobPage { jobs: self.jobs_by_id(&ids).await?, total })
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
        let list = List { store: self, filter };
        let found = list.range(&self.keys.status(status), at, STEP).await?;
        let ids: Vec<JobId> = found.iter().filter_map(|(id, _)| id.parse().ok()).collect();
        if ids.is_empty() || (filter.action.is_none() && filter.worker.is_none()) {
            return Ok((found.len(), ids));
        }
        Ok((found.len(), list.matching(&ids).await?))
    }
}

impl Store {
    /// Where the children of a job, or of the one that it carries on, are listed.
    async fn family_index(&self, parent: JobId) -> Result<String, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(parent)).arg("family");
        let family: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let family = family.and_then(|family| family.parse().ok()).unwrap_or(parent);
        Ok(self.keys.family(family))
    }
}

struct List<'a> {
    store: &'a Store,
    filter: &'a Filter,
}

type Ids = (Vec<JobId>, u64);

impl List<'_> {
    fn connection(&self) -> Connection {
        self.store.connection.clone()
    }

    fn bounds(&self) -> (String, String) {
        let until = self.filter.until.map_or("+inf".to_owned(), |at| at.ms().to_string());
        let since = self.filter.since.map_or("-inf".to_owned(), |at| at.ms().to_string());
        (until, since)
    }

    async fn count(&self, index: &str) -> Result<u64, StoreError> {
        let (until, since) = self.bounds();
        let mut command = redis::cmd("ZCOUNT");
        command.arg(index).arg(since).arg(until);
        Ok(command.query_async(&mut self.connection()).await?)
    }

    async fn range(
        &self,
        index: &str,
        start: usize,
        limit: usize,
    ) -> Result<Vec<(String, f64)>, StoreError> {
        let (until, since) = self.bounds();
        let mut command = redis::cmd("ZRANGE");
        command.arg(index).arg(until).arg(since).arg("BYSCORE").arg("REV");
        command.arg("LIMIT").arg(start).arg(limit).arg("WITHSCORES");
        Ok(command.query_async(&mut self.connection()).await?)
    }

    /// A page of one index.
    async fn page_of(&self, index: String, start: usize, limit: usize) -> Result<Ids, StoreError> {
        let total = self.count(&index).await?;
        let found = self.range(&index, start, limit).await?;
        Ok((found.iter().filter_map(|(id, _)| id.parse().ok()).collect(), total))
    }

    /// A page of several statuses: the newest of each, merged.
    async fn merged(
        &self,
        statuses: &[Status],
        start: usize,
        limit: usize,
    ) -> Result<Ids, StoreError> {
        let (mut total, mut found) = (0, Vec::new());
        for status in statuses {
            let index = self.store.keys.status(*status);
            total += self.count(&index).await?;
            found.extend(self.range(&index, 0, start.saturating_add(limit)).await?);
        }
        found.sort_by(|(id_a, a), (id_b, b)| b.total_cmp(a).then_with(|| id_b.cmp(id_a)));
        let page = found.into_iter().skip(start).take(limit);
        Ok((page.filter_map(|(id, _)| id.parse().ok()).collect(), total))
    }

    /// A page of several things at once: the narrowest index is walked, each job is looked at.
    async fn walked(&self, start: usize, limit: usize) -> Result<Ids, StoreError> {
        let keys = &self.store.keys;
        let by_action = self.filter.action.as_ref().map(|action| keys.action(action));
        let by_worker = self.filter.worker.as_ref().map(|worker| keys.jobs_of(worker));
        let mut narrowest: Option<(u64, String)> = None;
        for index in by_action.into_iter().chain(by_worker) {
            let count = self.count(&index).await?;
            if narrowest.as_ref().is_none_or(|(least, _)| count < *least) {
                narrowest = Some((count, index));
            }
        }
        let index = narrowest.map(|(_, index)| index).unwrap_or_default();
        self.walked_along(&index, start, limit).await
    }

    /// A page of what matches along one index.
    async fn walked_along(
        &self,
        index: &str,
        start: usize,
        limit: usize,
    ) -> Result<Ids, StoreError> {
        let (mut page, mut total, mut at) = (Vec::new(), 0_u64, 0);
        loop {
            let found = self.range(index, at, STEP).await?;
            if found.is_empty() {
                return Ok((page, total));
            }
            at += found.len();
            let ids: Vec<JobId> = found.iter().filter_map(|(id, _)| id.parse().ok()).collect();
            for id in self.matching(&ids).await? {
                if total >= start as u64 && page.len() < limit {
                    page.push(id);
                }
                total += 1;
            }
        }
    }

    async fn matching(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let mut pipe = redis::pipe();
        for id in ids {
            let fields = ["status", "action", "workerID"];
            pipe.cmd("HMGET").arg(self.store.keys.job(*id)).arg(&fields[..]);
        }
        let found: Vec<[Option<String>; 3]> = pipe.query_async(&mut self.connection()).await?;
        let matches = |[status, action, worker]: &[Option<String>; 3]| {
            let wanted = self.filter.action.as_ref().map(ActionName::as_str);
            let wanted_worker = self.filter.worker.as_ref().map(WorkerId::as_str);
            let statuses = &self.filter.statuses;
            (wanted.is_none() || action.as_deref() == wanted)
                && (wanted_worker.is_none() || worker.as_deref() == wanted_worker)
                && (statuses.is_empty()
                    || statuses.iter().any(|one| status.as_deref() == Some(one.as_str())))
        };
        let both = ids.iter().zip(&found);
        Ok(both.filter(|(_, fields)| matches(fields)).map(|(id, _)| *id).collect())
    }
}
