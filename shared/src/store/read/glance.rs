//! Small looks at one job: where it is in its life, and where it waits.

use super::{Store, StoreError};
use crate::job::{Job, JobId, Priority, Status};
use crate::queue::QueueName;

/// Where a job waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is not due yet.
    Due,
    /// It is in the outbox or offered, behind so many others of its class.
    Ready(u64),
    /// Nowhere: it does not wait any more.
    Nowhere,
}

impl Store {
    /// The status of a job; `None` when there is no such.
    pub async fn status(&self, id: JobId) -> Result<Option<Status>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(id)).arg("status");
        let word: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let read = |word: String| {
            word.parse().map_err(|error: crate::job::NoStatus| StoreError::Record {
                key: format!("job {id}"),
                why: error.to_string(),
            })
        };
        word.map(read).transpose()
    }

    /// Where a job waits now, and how many of its class go before it: all of the more urgent bands,
    /// and those that were offered earlier in its own.
    pub async fn place(&self, job: &Job) -> Result<Place, StoreError> {
        let ready =
            |priority: Priority| self.keys.ready(&QueueName { class: job.class.clone(), priority });
        let id = job.id.to_string();
        let mut pipe = redis::pipe();
        pipe.cmd("ZSCORE").arg(self.keys.due()).arg(&id);
        pipe.cmd("ZRANK").arg(ready(job.spec.priority)).arg(&id);
        for band in Priority::ALL.into_iter().filter(|band| *band < job.spec.priority) {
            pipe.zcard(ready(band));
        }
        let mut connection = self.connection.clone();
        let answers: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
        let mut numbers = answers.iter().map(|value| {
            let number: Option<f64> = redis::from_redis_value_ref(value).unwrap_or(None);
            number.map(|number| number as u64)
        });
        let (due, rank) = (numbers.next().flatten(), numbers.next().flatten());
        let before: u64 = numbers.flatten().sum();
        Ok(match (due, rank) {
            (_, Some(rank)) => Place::Ready(rank + before),
            (Some(_), None) => Place::Due,
            (None, None) => Place::Nowhere,
        })
    }
}
