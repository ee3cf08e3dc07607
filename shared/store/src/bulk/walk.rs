//! The walk of bulk operations over the jobs that match a filter: the earliest due first, in steps.
//! A step continues after a job, not at an offset, so it skips no job when others leave an index.

use super::BulkCursor;
use crate::error::StoreError;
use crate::history::JobFilter;
use crate::store::Store;
use domain::job::{JobId, Status};

/// A job that matches the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkJob {
    /// Its id.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// Its status.
    pub status: Status,
    /// Its action.
    pub action: String,
    /// Its retry or follow-up.
    pub follow_up: Option<JobId>,
    /// True if a job that is not over has its unique key.
    pub is_key_taken: bool,
}

/// A step of a walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkStep {
    /// The jobs that match.
    pub jobs: Vec<BulkJob>,
    /// The number of jobs that were examined.
    pub examined: u64,
    /// The number of jobs to examine from here on, including those.
    pub left: u64,
    /// Where the next step continues; `None` at the end.
    pub next: Option<BulkCursor>,
}

impl Store {
    /// One step of a walk: examines a few hundred jobs.
    pub async fn bulk_step(
        &self,
        filter: &JobFilter,
        after: Option<BulkCursor>,
    ) -> Result<BulkStep, StoreError> {
        let filter = &JobFilter { soonest_first: true, ..filter.clone() };
        let after = after.map(|cursor| (cursor.id, cursor.at_ms));
        let found = self.jobs_after(filter, after).await?;
        Ok(BulkStep {
            jobs: self.bulk_jobs(&found.ids).await?,
            examined: found.examined,
            left: found.left,
            next: found.last.map(|(id, at_ms)| BulkCursor { at_ms, id }),
        })
    }

    /// Reads jobs. Those that have been removed, or that cannot be read, are left out.
    async fn bulk_jobs(&self, ids: &[JobId]) -> Result<Vec<BulkJob>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (mut connection, _turn) = self.walking().await;
        let mut pipe = redis::pipe();
        let fields = ["number", "status", "action", "followUpID", "uniqueKey"];
        for id in ids {
            pipe.cmd("HMGET").arg(self.keys.job(*id)).arg(&fields);
        }
        let rows: Vec<Vec<Option<String>>> = pipe.query_async(&mut connection).await?;
        let mut jobs = Vec::with_capacity(ids.len());
        let (mut keys, mut owners) = (redis::pipe(), Vec::new());
        for (id, row) in ids.iter().zip(&rows) {
            let Some(job) = bulk_job(*id, row) else { continue };
            if let Some(Some(key)) = row.get(4) {
                keys.cmd("EXISTS").arg(self.keys.unique(key));
                owners.push(jobs.len());
            }
            jobs.push(job);
        }
        if !owners.is_empty() {
            let taken: Vec<u64> = keys.query_async(&mut connection).await?;
            owners.iter().zip(taken).for_each(|(at, count)| jobs[*at].is_key_taken = count > 0);
        }
        Ok(jobs)
    }
}

fn bulk_job(id: JobId, row: &[Option<String>]) -> Option<BulkJob> {
    let text = |at: usize| row.get(at)?.as_deref();
    Some(BulkJob {
        id,
        number: text(0)?.parse().ok()?,
        status: text(1)?.parse().ok()?,
        action: text(2)?.to_owned(),
        follow_up: text(3).and_then(|id| id.parse().ok()),
        is_key_taken: false,
    })
}
