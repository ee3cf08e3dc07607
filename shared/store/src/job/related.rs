//! Jobs that other jobs name: dependencies, parents, children, and the follow-ups that carry them
//! on.

use std::collections::HashMap;

use super::record;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::{Job, JobId, Status};

/// A job that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedJob {
    /// The job that is named.
    pub named: JobSummary,
    /// The last of its follow-ups; itself when it has none.
    pub last: JobSummary,
}

/// What other jobs need to know of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSummary {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// Its status.
    pub status: Status,
    /// The child group that it belongs to.
    pub parent_group: Option<JobId>,
    /// The child group of its own children, once it has some.
    pub child_group: Option<JobId>,
}

/// How many jobs one small read asks for.
const STEP: usize = 500;

type Fields = [Option<String>; 6];

/// A job that has a follow-up, met on the way from the job that was asked for to its last one.
struct Followed {
    asked: JobId,
    id: JobId,
    follow_up: JobId,
    /// The first job of its chain.
    first: JobId,
}

impl Store {
    /// Jobs by the ids that others name them by. One that does not exist is left out; one that was
    /// not created, because another had its unique key, is that other.
    pub async fn related(&self, ids: &[JobId]) -> Result<HashMap<JobId, RelatedJob>, StoreError> {
        let mut all: HashMap<JobId, RelatedJob> = HashMap::new();
        // The id that was asked for, and the id to look at for it.
        let mut open: Vec<(JobId, JobId)> = ids.iter().map(|id| (*id, *id)).collect();
        while !open.is_empty() {
            let mut next = Vec::new();
            for some in open.chunks(STEP) {
                let found = self.fields_of(some).await?;
                let mut followed = Vec::new();
                for ((asked, id), (fields, stands_for)) in some.iter().zip(found) {
                    let Some(found) = summary(*id, &fields)? else {
                        let other = stands_for.and_then(|other| other.parse().ok());
                        let other = other.filter(|other| other != id && !all.contains_key(asked));
                        next.extend(other.map(|other| (*asked, other)));
                        continue;
                    };
                    let new = || RelatedJob { named: found, last: found };
                    all.entry(*asked).or_insert_with(new).last = found;
                    let job = |text: &Option<String>| text.as_ref().and_then(|id| id.parse().ok());
                    followed.extend(job(&fields[4]).map(|follow_up| {
                        let first = job(&fields[5]).unwrap_or(*id);
                        Followed { asked: *asked, id: *id, follow_up, first }
                    }));
                }
                next.extend(self.ahead_of(&followed).await?);
            }
            open = next;
        }
        Ok(all)
    }

    /// The first jobs of the chain of retries and follow-ups that a job belongs to, at most `most`,
    /// and how many the chain has. Those that are no longer kept are left out.
    pub async fn chain_of(&self, job: &Job, most: usize) -> Result<(Vec<Job>, u64), StoreError> {
        let key = self.keys.chain(job.first);
        let mut pipe = redis::pipe();
        pipe.zrange(&key, 0, most as isize - 1).zcard(&key);
        let (ids, total): (Vec<String>, u64) =
            pipe.query_async(&mut self.connection.clone()).await?;
        if ids.is_empty() {
            return Ok((vec![job.clone()], 1));
        }
        let ids: Vec<JobId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok((self.jobs_by_id(&ids).await?, total))
    }

    /// The first children of a job by the time they are due, at most `most`, and how many it has.
    pub async fn children_of(&self, job: &Job, most: usize) -> Result<(Vec<Job>, u64), StoreError> {
        let Some(group) = job.child_group else { return Ok((Vec::new(), 0)) };
        let key = self.keys.child_jobs(group);
        let mut pipe = redis::pipe();
        pipe.zrange(&key, 0, most as isize - 1).zcard(&key);
        let (ids, total): (Vec<String>, u64) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let ids: Vec<JobId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok((self.jobs_by_id(&ids).await?, total))
    }

    /// How many children of a job are not over; `None` for one that has never had any.
    pub async fn open_children(&self, job: &Job) -> Result<Option<u64>, StoreError> {
        let Some(group) = job.child_group else { return Ok(None) };
        let mut command = redis::cmd("ZCARD");
        command.arg(self.keys.children(group));
        Ok(Some(command.query_async(&mut self.connection.clone()).await?))
    }

    /// The numbers of the first dependents of these jobs, by the job they depend on.
    pub async fn next_numbers(&self, ids: &[JobId]) -> Result<HashMap<JobId, u64>, StoreError> {
        let next: Vec<Option<String>> = self.field_of(ids, "next").await?;
        let read = |(id, next): (&JobId, Option<String>)| Some((*id, next?.parse().ok()?));
        let pairs: Vec<(JobId, JobId)> = ids.iter().zip(next).filter_map(read).collect();
        let next: Vec<JobId> = pairs.iter().map(|(_, next)| *next).collect();
        let numbers: Vec<Option<u64>> = self.field_of(&next, "number").await?;
        let found = pairs.into_iter().zip(numbers);
        Ok(found.filter_map(|((id, _), number)| Some((id, number?))).collect())
    }

    async fn fields_of(
        &self,
        some: &[(JobId, JobId)],
    ) -> Result<Vec<(Fields, Option<String>)>, StoreError> {
        let mut pipe = redis::pipe();
        for (_, id) in some {
            pipe.cmd("HMGET").arg(self.keys.job(*id));
            pipe.arg(&["status", "number", "parentGroup", "childGroup", "followUpID", "firstID"]);
            pipe.get(self.keys.used_id(*id));
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
        let pairs = values.chunks(2).map(|pair| {
            let fields = redis::from_redis_value_ref(&pair[0])?;
            Ok((fields, redis::from_redis_value_ref(&pair[1])?))
        });
        let pairs: Result<_, redis::ParsingError> = pairs.collect();
        Ok(pairs.map_err(redis::RedisError::from)?)
    }

    /// The last job in the chain of each, or its follow-up: a chain from before there were sets of
    /// chains leads from record to record, and what follows the last of a set was deleted.
    async fn ahead_of(&self, followed: &[Followed]) -> Result<Vec<(JobId, JobId)>, StoreError> {
        if followed.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for job in followed {
            pipe.zrange(self.keys.chain(job.first), -1, -1);
        }
        let last: Vec<Vec<String>> = pipe.query_async(&mut self.connection.clone()).await?;
        let ahead = followed.iter().zip(last).map(|(job, last)| {
            let last = last.first().and_then(|id| id.parse().ok());
            (job.asked, last.filter(|last| *last != job.id).unwrap_or(job.follow_up))
        });
        Ok(ahead.collect())
    }

    pub(crate) async fn field_of<T: redis::FromRedisValue>(
        &self,
        ids: &[JobId],
        field: &str,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = self.connection.clone();
        let mut values = Vec::with_capacity(ids.len());
        for some in ids.chunks(STEP) {
            let mut pipe = redis::pipe();
            for id in some {
                pipe.hget(self.keys.job(*id), field);
            }
            let found: Vec<T> = pipe.query_async(&mut connection).await?;
            values.extend(found);
        }
        Ok(values)
    }
}

fn summary(id: JobId, fields: &Fields) -> Result<Option<JobSummary>, StoreError> {
    let [Some(status), number, parent_group, child_group, ..] = fields else { return Ok(None) };
    let status = record::status(id, status)?;
    let job = |text: &Option<String>| text.as_ref().and_then(|id| id.parse().ok());
    let number = number.as_ref().and_then(|number| number.parse().ok()).unwrap_or(0);
    let (parent_group, child_group) = (job(parent_group), job(child_group));
    Ok(Some(JobSummary { id, number, status, parent_group, child_group }))
}
