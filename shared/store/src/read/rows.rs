//! Reads for lists that no filter of the store describes: pages of one index in either direction, and a walk
//! that brings what is needed of each job, newest first, in small steps.

use std::collections::HashMap;

use super::merge::{Bounds, Merged, STEP};
use super::{Store, StoreError};
use domain::job::{ActionName, Job, JobId, JobSpec, Status, Timestamp};

/// The index that a list is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Index {
    /// All jobs in the order of their numbers.
    Number,
    /// All jobs in the order of `scheduledAt`.
    Due,
    /// The jobs in these statuses in the order of `scheduledAt`.
    Statuses(Vec<Status>),
    /// The jobs of an action in the order of `scheduledAt`.
    Action(ActionName),
}

/// What a walk brings beyond what every row has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// What was asked for.
    pub spec: bool,
    /// What the action answered.
    pub result: bool,
}

/// A job as far as a walk brings it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// Where it is in its life.
    pub status: Status,
    /// What it does.
    pub action: String,
    /// When it is, or was, due.
    pub scheduled_at: Timestamp,
    /// When it was claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The job that its action has made to go on with.
    pub next: Option<JobId>,
    /// What was asked for, if needed.
    pub spec: Option<JobSpec>,
    /// What the action answered, if needed.
    pub result: Option<serde_json::Value>,
}

/// A walk over the jobs of an index, newest first.
pub struct Rows {
    store: Store,
    index: Merged,
    needs: Needs,
}

impl Store {
    /// The job with this number; `None` when there is none, or no more.
    pub async fn job_numbered(&self, number: u64) -> Result<Option<Job>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.numbers()).arg(number).arg(number).arg("BYSCORE");
        let found: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        match found.first().and_then(|id| id.parse().ok()) {
            Some(id) => self.job(id).await,
            None => Ok(None),
        }
    }

    /// How many jobs an index has.
    pub async fn count(&self, index: &Index) -> Result<u64, StoreError> {
        Ok(self.open(index, true, Bounds::default()).await?.total())
    }

    /// The jobs of an index from the `start`-th on, at most `limit`, and how many it has.
    pub async fn page(
        &self,
        index: &Index,
        descending: bool,
        (start, limit): (u64, u64),
    ) -> Result<(Vec<Job>, u64), StoreError> {
        let mut index = self.open(index, descending, Bounds::default()).await?;
        index.seek(start).await?;
        let found = index.next(limit).await?;
        let ids: Vec<JobId> = found.into_iter().map(|(id, _)| id).collect();
        Ok((self.jobs_by_id(&ids).await?, index.total()))
    }

    /// A walk over an index; with `only`, over those of its jobs with exactly this score: a number, or a moment in ms.
    pub async fn rows(
        &self,
        index: &Index,
        only: Option<i64>,
        needs: Needs,
    ) -> Result<Rows, StoreError> {
        let index = self.open(index, true, Bounds { since: only, until: only }).await?;
        Ok(Rows { store: self.clone(), index, needs })
    }

    /// The numbers of the jobs that the actions of these jobs have made to go on with, by the job that made it.
    pub async fn next_numbers(&self, ids: &[JobId]) -> Result<HashMap<JobId, u64>, StoreError> {
        let next: Vec<Option<String>> = self.field_of(ids, "next").await?;
        let read = |(id, next): (&JobId, Option<String>)| Some((*id, next?.parse().ok()?));
        let pairs: Vec<(JobId, JobId)> = ids.iter().zip(next).filter_map(read).collect();
        let next: Vec<JobId> = pairs.iter().map(|(_, next)| *next).collect();
        let numbers: Vec<Option<u64>> = self.field_of(&next, "number").await?;
        let found = pairs.into_iter().zip(numbers);
        Ok(found.filter_map(|((id, _), number)| Some((id, number?))).collect())
    }

    async fn field_of<T: redis::FromRedisValue>(
        &self,
        ids: &[JobId],
        field: &str,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = self.connection.clone();
        let mut values = Vec::with_capacity(ids.len());
        for some in ids.chunks(STEP as usize) {
            let mut pipe = redis::pipe();
            for id in some {
                pipe.hget(self.keys.job(*id), field);
            }
            let found: Vec<T> = pipe.query_async(&mut connection).await?;
            values.extend(found);
        }
        Ok(values)
    }

    async fn open(
        &self,
        index: &Index,
        descending: bool,
        bounds: Bounds,
    ) -> Result<Merged, StoreError> {
        let keys = match index {
            Index::Number => vec![self.keys.numbers()],
            Index::Due => self.keys.all_jobs(),
            Index::Action(action) => vec![self.keys.action(action)],
            Index::Statuses(several) => {
                several.iter().map(|status| self.keys.status(*status)).collect()
            }
        };
        Merged::open(self, keys, descending, bounds).await
    }
}

impl Rows {
    /// How many jobs the walk comes by.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.index.total()
    }

    /// The next few hundred jobs; `None` at the end. What has gone since it was counted is left out.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        let (mut connection, _turn) = self.store.walking().await;
        // Results may be large.
        let step = if self.needs.result { STEP / 5 } else { STEP };
        let found = self.index.next(step).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut pipe = redis::pipe();
        for (id, _) in &found {
            let mut fields = vec!["number", "status", "action", "scheduledAt"];
            fields.extend(["startedAt", "finishedAt", "next"]);
            // What is not needed is asked for by a name that no field has.
            fields.push(if self.needs.spec { "spec" } else { "" });
            fields.push(if self.needs.result { "result" } else { "" });
            pipe.cmd("HMGET").arg(self.store.keys.job(*id)).arg(fields);
        }
        let values: Vec<Vec<Option<String>>> = pipe.query_async(&mut connection).await?;
        let both = found.iter().zip(values);
        Ok(Some(both.filter_map(|((id, _), values)| row(*id, &values)).collect()))
    }
}

/// Reads what there is of a job; `None` when it is gone, or cannot be read.
fn row(id: JobId, fields: &[Option<String>]) -> Option<Row> {
    let text = |at: usize| fields.get(at)?.as_deref();
    let time = |at: usize| Some(Timestamp::from_ms(text(at)?.parse().ok()?));
    Some(Row {
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
