//! Jobs as other jobs name them: what has become of them, and of those that carry them on.

use std::collections::HashMap;

use super::{Store, StoreError};
use domain::job::{Job, JobId, Status};
use uuid::Uuid;

/// A job that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The record that is named.
    pub named: Relative,
    /// The last of those that carry it on; itself when none does.
    pub last: Relative,
}

/// What matters of a job to those that it has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relative {
    /// The job.
    pub id: JobId,
    /// Its number.
    pub number: u64,
    /// What it is.
    pub status: Status,
    /// The family whose child it is.
    pub parent: Option<JobId>,
    /// What its own children are filed under, once it has some.
    pub family: Option<JobId>,
}

/// How many jobs one small read asks for.
const STEP: usize = 500;

type Fields = [Option<String>; 5];

impl Store {
    /// Jobs by the ids that others name them by. One that is not there is left out; one that was not made, because
    /// another has its unique key, is that other.
    pub async fn related(&self, ids: &[JobId]) -> Result<HashMap<JobId, Related>, StoreError> {
        let mut all: HashMap<JobId, Related> = HashMap::new();
        // Who was asked for, and who is to be looked at for it.
        let mut open: Vec<(JobId, JobId)> = ids.iter().map(|id| (*id, *id)).collect();
        while !open.is_empty() {
            let mut next = Vec::new();
            for some in open.chunks(STEP) {
                for ((asked, id), (fields, stands_for)) in some.iter().zip(self.look(some).await?) {
                    let Some(found) = self.relative(*id, &fields)? else {
                        let other = stands_for.and_then(|other| other.parse().ok());
                        let other = other.filter(|other| other != id && !all.contains_key(asked));
                        next.extend(other.map(|other| (*asked, other)));
                        continue;
                    };
                    let new = || Related { named: found, last: found };
                    all.entry(*asked).or_insert_with(new).last = found;
                    let follow_up = fields[4].as_ref().and_then(|id| id.parse().ok());
                    next.extend(follow_up.map(|follow_up| (*asked, follow_up)));
                }
            }
            open = next;
        }
        Ok(all)
    }

    async fn look(
        &self,
        some: &[(JobId, JobId)],
    ) -> Result<Vec<(Fields, Option<String>)>, StoreError> {
        let mut pipe = redis::pipe();
        for (_, id) in some {
            let fields = ["status", "number", "parent", "family", "followUpID"];
            pipe.cmd("HMGET").arg(self.keys.job(*id)).arg(&fields).get(self.keys.once(*id));
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.connection.clone()).await?;
        let pairs = values.chunks(2).map(|pair| {
            let fields = redis::from_redis_value_ref(&pair[0])?;
            Ok((fields, redis::from_redis_value_ref(&pair[1])?))
        });
        let pairs: Result<_, redis::ParsingError> = pairs.collect();
        Ok(pairs.map_err(redis::RedisError::from)?)
    }

    fn relative(&self, id: JobId, fields: &Fields) -> Result<Option<Relative>, StoreError> {
        let [Some(status), number, parent, family, _] = fields else { return Ok(None) };
        let status = status.parse().map_err(|error: domain::job::UnknownStatus| StoreError::Record {
            key: self.keys.job(id),
            why: error.to_string(),
        })?;
        let job = |text: &Option<String>| text.as_ref().and_then(|id| id.parse().ok());
        let number = number.as_ref().and_then(|number| number.parse().ok()).unwrap_or(0);
        Ok(Some(Relative { id, number, status, parent: job(parent), family: job(family) }))
    }

    /// How many children of a job are not over; `None` for one that has never had any.
    pub async fn open_children(&self, job: &Job) -> Result<Option<u64>, StoreError> {
        let Some(family) = job.child_group else { return Ok(None) };
        let mut command = redis::cmd("ZCARD");
        command.arg(self.keys.children(family));
        Ok(Some(command.query_async(&mut self.connection.clone()).await?))
    }

    /// True when the id of a job was used within a day, or there is a job with it.
    pub async fn is_known(&self, id: JobId) -> Result<bool, StoreError> {
        self.is_any_there(&[self.keys.job(id), self.keys.once(id)]).await
    }

    /// True when a batch is kept, or was: then its first job is known.
    pub async fn is_batch_known(&self, id: Uuid, first: JobId) -> Result<bool, StoreError> {
        let batch = self.keys.batch(&id.to_string());
        self.is_any_there(&[batch, self.keys.job(first), self.keys.once(first)]).await
    }

    async fn is_any_there(&self, keys: &[String]) -> Result<bool, StoreError> {
        let mut command = redis::cmd("EXISTS");
        let found: u64 = command.arg(keys).query_async(&mut self.connection.clone()).await?;
        Ok(found > 0)
    }
}
