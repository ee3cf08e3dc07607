//! Large batches: accepted in one step, carried out in small ones, finished by a scheduler if need be.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::answer::unknown;
use super::start::MAX_QUEUES;
use super::{Store, StoreError, Submitted};
use domain::job::NewJob;
use domain::queue::QueueName;

/// How many jobs one submit carries: a script blocks Redis.
const STEP: usize = 100;

impl Store {
    /// Submits jobs, all or none: once this has begun to write they are all on their way, whoever dies. Called
    /// again with the same `id` and jobs it changes nothing more.
    pub async fn submit_batch(
        &self,
        id: Uuid,
        jobs: &[NewJob],
    ) -> Result<Vec<Submitted>, StoreError> {
        if jobs.len() <= STEP {
            return self.submit(jobs).await;
        }
        let id = id.to_string();
        self.keep_batch(&id, jobs).await?;
        self.carry_out(&id, jobs).await
    }

    /// Carries out batches that were kept at least `age` ago and are not done: whoever put them in has died.
    /// Returns how many.
    pub async fn finish_batches(&self, age: Duration) -> Result<u64, StoreError> {
        let until = self.now_ms().await? - age.as_millis() as i64;
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.batches()).arg("-inf").arg(until).arg("BYSCORE");
        let ids: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let (mut finished, mut failed) = (0, None);
        for id in &ids {
            // One that cannot be read must not keep the others from being finished.
            match self.finish_batch(id).await {
                Ok(()) => finished += 1,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(finished), Err)
    }

    async fn finish_batch(&self, id: &str) -> Result<(), StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.batch(id));
        let kept: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let jobs: Vec<NewJob> = match kept.map(|kept| serde_json::from_str(&kept)) {
            Some(Ok(jobs)) => jobs,
            Some(Err(error)) => {
                let (key, why) = (self.keys.batch(id), error.to_string());
                return Err(StoreError::Record { key, why });
            }
            None => Vec::new(),
        };
        self.carry_out(id, &jobs).await.map(|_| ())
    }

    async fn keep_batch(&self, id: &str, jobs: &[NewJob]) -> Result<(), StoreError> {
        let queues: BTreeSet<QueueName> = jobs.iter().map(QueueName::of).collect();
        if let Some(one_more) = queues.iter().nth(MAX_QUEUES as usize) {
            return Err(StoreError::TooManyQueues(one_more.to_string()));
        }
        let answer = self.call(&self.scripts.keep_batch, |call| {
            let json = serde_json::to_string(jobs).unwrap_or_default();
            call.arg(id).arg(MAX_QUEUES).arg(json);
            for queue in queues {
                call.arg(queue.to_string());
            }
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["kept"] => Ok(()),
            ["too_many_queues", queue] => Err(StoreError::TooManyQueues(queue.to_owned())),
            _ => Err(unknown("keep_batch", &words)),
        }
    }

    /// Submits what is kept, in small steps; a job that is there already is left as it is.
    async fn carry_out(&self, id: &str, jobs: &[NewJob]) -> Result<Vec<Submitted>, StoreError> {
        let mut submitted = Vec::with_capacity(jobs.len());
        for some in jobs.chunks(STEP) {
            let done = submitted.len() + some.len();
            submitted.extend(self.submit_step(id, done, some).await?);
        }
        let mut pipe = redis::pipe();
        pipe.atomic().del(self.keys.batch(id)).ignore().zrem(self.keys.batches(), id).ignore();
        pipe.hdel(self.keys.batches_done(), id).ignore();
        pipe.exec_async(&mut self.connection.clone()).await?;
        Ok(submitted)
    }
}
