//! Reads of single jobs. They change nothing and take no part in any decision.

use super::record;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::{ActionName, Job, JobId, Status};

impl Store {
    /// One job; `None` when it does not exist.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.read_jobs(&[id]).await?.pop().transpose()
    }

    /// Jobs by id, in the order asked; those that do not exist or cannot be read are left out.
    pub async fn jobs_by_id(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let jobs = self.read_jobs(ids).await?;
        Ok(jobs.into_iter().filter_map(|job| self.left_out.readable(job)).collect())
    }

    /// Those of these jobs that exist; for one that cannot be read, an error instead.
    async fn read_jobs(&self, ids: &[JobId]) -> Result<Vec<Result<Job, StoreError>>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.hgetall(self.keys.job(*id));
        }
        pipe.ignore_errors();
        let mut connection = self.connection.clone();
        let hashes: Vec<redis::RedisResult<redis::Value>> =
            pipe.query_async(&mut connection).await?;
        let read = |(id, hash): (&JobId, redis::RedisResult<redis::Value>)| match hash {
            Ok(hash) => record::job(*id, &hash).transpose(),
            Err(error) => Some(Err(StoreError::of_record(format!("job {id}"), error))),
        };
        Ok(ids.iter().zip(hashes).filter_map(read).collect())
    }

    /// The job with this number; `None` when it does not exist.
    pub async fn job_numbered(&self, number: u64) -> Result<Option<Job>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.numbers()).arg(number).arg(number).arg("BYSCORE");
        let found: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        match found.first().and_then(|id| id.parse().ok()) {
            Some(id) => self.job(id).await,
            None => Ok(None),
        }
    }

    /// The status of a job; `None` when it does not exist.
    pub async fn status(&self, id: JobId) -> Result<Option<Status>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(id)).arg("status");
        let word: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        word.map(|word| record::status(id, &word)).transpose()
    }

    /// Which of these jobs are of this action, in the order asked.
    pub async fn are_of_action(
        &self,
        ids: &[JobId],
        action: &ActionName,
    ) -> Result<Vec<bool>, StoreError> {
        let actions: Vec<Option<String>> = self.field_of(ids, "action").await?;
        Ok(actions.into_iter().map(|one| one.as_deref() == Some(action.as_str())).collect())
    }

    /// True when a job with this id exists, or the id was used within a day.
    pub async fn is_known(&self, id: JobId) -> Result<bool, StoreError> {
        self.any_exists(&[self.keys.job(id), self.keys.used_id(id)]).await
    }

    /// How many jobs are in each status.
    pub async fn counts(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        let mut pipe = redis::pipe();
        for status in Status::ALL {
            pipe.zcard(self.keys.status(status));
        }
        let mut connection = self.connection.clone();
        let counts: Vec<u64> = pipe.query_async(&mut connection).await?;
        Ok(Status::ALL.into_iter().zip(counts).collect())
    }

    pub(crate) async fn any_exists(&self, keys: &[String]) -> Result<bool, StoreError> {
        let mut command = redis::cmd("EXISTS");
        let found: u64 = command.arg(keys).query_async(&mut self.connection.clone()).await?;
        Ok(found > 0)
    }
}
