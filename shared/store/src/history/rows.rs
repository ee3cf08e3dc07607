//! Reads for lists that a `JobFilter` cannot describe: pages of one index in either direction, and
//! a walk that returns the needed fields of each job, newest first, in small steps.

use super::merge::{Bounds, Merged, STEP};
use crate::error::StoreError;
use crate::store::Store;
use domain::job::{ActionName, JobId, JobSpec, Status, Timestamp};

/// An index to read a list from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobIndex {
    /// All jobs in the order of their numbers.
    Number,
    /// All jobs in the order of `scheduledAt`.
    Due,
    /// The jobs in these statuses in the order of `scheduledAt`.
    Statuses(Vec<Status>),
    /// The jobs of an action in the order of `scheduledAt`.
    Action(ActionName),
}

/// The fields that a walk reads beyond those of every row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowFields {
    /// The spec.
    pub spec: bool,
    /// The result.
    pub result: bool,
}

/// The fields of a job that a walk reads.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// Its status.
    pub status: Status,
    /// Its action.
    pub action: String,
    /// When it is, or was, due.
    pub scheduled_at: Timestamp,
    /// When it was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The first job that depends on it.
    pub next: Option<JobId>,
    /// The spec, if asked for.
    pub spec: Option<JobSpec>,
    /// The result, if asked for.
    pub result: Option<serde_json::Value>,
}

/// A walk over the jobs of an index, newest first.
pub struct JobRows {
    store: Store,
    index: Merged,
    fields: RowFields,
}

impl Store {
    /// How many jobs an index has.
    pub async fn count(&self, index: &JobIndex) -> Result<u64, StoreError> {
        Ok(self.open(index, true, Bounds::default()).await?.total())
    }

    /// The ids of the jobs of an index from the `start`-th on, at most `limit`, and how many it has.
    pub async fn page_ids(
        &self,
        index: &JobIndex,
        descending: bool,
        (start, limit): (u64, u64),
    ) -> Result<(Vec<JobId>, u64), StoreError> {
        let mut index = self.open(index, descending, Bounds::default()).await?;
        index.seek(start).await?;
        let found = index.next(limit).await?;
        Ok((found.into_iter().map(|(id, _)| id).collect(), index.total()))
    }

    /// A walk over an index; with `only`, over its jobs with exactly this score: a number, or a
    /// time in ms.
    pub async fn job_rows(
        &self,
        index: &JobIndex,
        only: Option<i64>,
        fields: RowFields,
    ) -> Result<JobRows, StoreError> {
        let index = self.open(index, true, Bounds { since: only, until: only }).await?;
        Ok(JobRows { store: self.clone(), index, fields })
    }

    async fn open(
        &self,
        index: &JobIndex,
        descending: bool,
        bounds: Bounds,
    ) -> Result<Merged, StoreError> {
        let keys = match index {
            JobIndex::Number => vec![self.keys.numbers()],
            JobIndex::Due => self.keys.all_jobs(),
            JobIndex::Action(action) => vec![self.keys.action(action)],
            JobIndex::Statuses(several) => {
                several.iter().map(|status| self.keys.status(*status)).collect()
            }
        };
        Merged::open(self, keys, descending, bounds).await
    }
}

impl JobRows {
    /// How many jobs the walk covers.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.index.total()
    }

    /// The next few hundred jobs; `None` at the end. Jobs that were removed meanwhile are left out.
    pub async fn next(&mut self) -> Result<Option<Vec<JobRow>>, StoreError> {
        let (mut connection, _turn) = self.store.walking().await;
        // Results may be large.
        let step = if self.fields.result { STEP / 5 } else { STEP };
        let found = self.index.next(step).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut pipe = redis::pipe();
        for (id, _) in &found {
            let mut fields = vec!["number", "status", "action", "scheduledAt"];
            fields.extend(["startedAt", "finishedAt", "next"]);
            // A field that is not needed is asked for by a name that no field has.
            fields.push(if self.fields.spec { "spec" } else { "" });
            fields.push(if self.fields.result { "result" } else { "" });
            pipe.cmd("HMGET").arg(self.store.keys.job(*id)).arg(fields);
        }
        let values: Vec<Vec<Option<String>>> = pipe.query_async(&mut connection).await?;
        let both = found.iter().zip(values);
        Ok(Some(both.filter_map(|((id, _), values)| row(*id, &values)).collect()))
    }
}

/// Reads the fields of a job; `None` when it is removed, or cannot be read.
fn row(id: JobId, fields: &[Option<String>]) -> Option<JobRow> {
    let text = |at: usize| fields.get(at)?.as_deref();
    let time = |at: usize| Some(Timestamp::from_ms(text(at)?.parse().ok()?));
    Some(JobRow {
        id,
        number: text(0)?.parse().ok()?,
        status: text(1)?.parse().ok()?,
        action: text(2)?.to_owned(),
        scheduled_at: time(3)?,
        started_at: time(4),
        finished_at: time(5),
        next: text(6).and_then(|id| id.parse().ok()),
        spec: text(7).and_then(|spec| serde_json::from_str(spec).ok()),
        result: text(8).and_then(|result| serde_json::from_str(result).ok()),
    })
}
