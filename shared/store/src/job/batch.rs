//! Large batches: accepted in one step, submitted in small ones, and finished by a scheduler when
//! the API dies in between.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::new_record::{owner, spec_json};
use super::submit::Submitted;
use crate::error::{ErrorClass, StoreError};
use crate::json::read_json;
use crate::script::Script;
use crate::store::Store;
use domain::bounds::MAX_DEPENDENCIES;
use domain::job::{JobId, NewJob};

static KEEP_BATCH: Script = Script::new("keep_batch", include_str!("keep_batch.lua"));

/// How many jobs one step submits, and how many dependencies these name: a script blocks Redis.
const STEP_JOBS: usize = 100;
const STEP_DEPENDENCIES: usize = MAX_DEPENDENCIES;

/// Cuts jobs into the steps that submit them, in order.
#[must_use]
pub fn submission_steps(jobs: &[NewJob]) -> Vec<&[NewJob]> {
    let (mut steps, mut first, mut dependencies) = (Vec::new(), 0, 0);
    for (index, job) in jobs.iter().enumerate() {
        dependencies += job.spec.depends_on.len();
        let is_full = index - first == STEP_JOBS || dependencies > STEP_DEPENDENCIES;
        if is_full && index > first {
            steps.extend(jobs.get(first..index));
            (first, dependencies) = (index, job.spec.depends_on.len());
        }
    }
    steps.extend(jobs.get(first..).filter(|rest| !rest.is_empty()));
    steps
}

impl Store {
    /// Submits jobs, all or none: once this has begun to write, all of them will be submitted, even
    /// when the caller dies. Repeating it with the same `id` and jobs changes nothing more.
    pub async fn submit_batch(
        &self,
        id: Uuid,
        jobs: &[NewJob],
    ) -> Result<Vec<Submitted>, StoreError> {
        if submission_steps(jobs).len() <= 1 {
            return self.submit(jobs).await;
        }
        let id = id.to_string();
        self.keep_batch(&id, jobs).await?;
        self.submit_kept(&id, jobs).await
    }

    /// Submits batches that were kept at least `age` ago and are not done: their submitter has
    /// died. Returns how many, and why others cannot be read: those stay, because a newer version
    /// may have written them.
    pub async fn finish_batches(&self, age: Duration) -> Result<(u64, Vec<String>), StoreError> {
        let until = self.now().await?.ms() - age.as_millis() as i64;
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.batches()).arg("-inf").arg(until).arg("BYSCORE");
        let ids: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let (mut finished, mut unreadable, mut failed) = (0, Vec::new(), None);
        for id in &ids {
            // A batch that cannot be read must not keep the others from being finished.
            match self.finish_batch(id).await {
                Ok(()) => finished += 1,
                Err(error) if error.class() == ErrorClass::Unreadable => {
                    unreadable.push(error.to_string());
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok((finished, unreadable)), Err)
    }

    /// True when a batch is kept, or was: then its first job is known.
    pub async fn is_batch_known(&self, id: Uuid, first: JobId) -> Result<bool, StoreError> {
        let batch = self.keys.batch(&id.to_string());
        self.any_exists(&[batch, self.keys.job(first), self.keys.used_id(first)]).await
    }

    async fn finish_batch(&self, id: &str) -> Result<(), StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.batch(id));
        let kept: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let read = |kept: String| read_json::<Vec<NewJob>>(&format!("batch {id}"), &kept);
        let jobs = kept.map(read).transpose()?.unwrap_or_default();
        self.submit_kept(id, &jobs).await.map(|_| ())
    }

    async fn keep_batch(&self, id: &str, jobs: &[NewJob]) -> Result<(), StoreError> {
        let kinds: BTreeSet<_> =
            jobs.iter().map(|job| (&job.class, &job.spec.action, job.spec.priority)).collect();
        let bytes: usize = jobs.iter().map(|job| spec_json(&job.spec).len()).sum();
        let first = jobs.first();
        let hash = first.and_then(|job| job.request_hash).map(|hash| hash.to_string());
        let named = first.map(|job| (job.id.to_string(), owner(&job.spec)));
        let (first, owner) = named.unwrap_or_default();
        let answer = self.call(&KEEP_BATCH, |call| {
            let json = serde_json::to_string(jobs).unwrap_or_default();
            call.arg(id).arg(json).arg(first).arg(hash.unwrap_or_default());
            call.arg(owner).arg(jobs.len()).arg(bytes);
            for (class, action, priority) in kinds {
                call.arg(format!("{class} {action} {priority}"));
            }
        });
        let refused = answer.await?.decode(|words| match words {
            ["kept"] => Some(None),
            ["other_request", id] => Some(Some(StoreError::OtherRequest(id.parse().ok()?))),
            _ => None,
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// Submits what is kept, in small steps; a job that exists already is not changed.
    async fn submit_kept(&self, id: &str, jobs: &[NewJob]) -> Result<Vec<Submitted>, StoreError> {
        let mut submitted = Vec::with_capacity(jobs.len());
        for some in submission_steps(jobs) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use domain::capacity::Class;
    use domain::job::JobSpec;

    #[test]
    fn a_step_has_a_hundred_jobs_and_a_thousand_dependencies_at_most() {
        let steps = |dependencies: &[usize]| -> Vec<usize> {
            let job = |count: &usize| {
                let mut spec = JobSpec::of("noop".parse().unwrap());
                spec.depends_on = vec![JobId::random(); *count];
                let (id, class) = (JobId::random(), Class::of(None).unwrap());
                NewJob {
                    id,
                    class,
                    scheduled_at: None,
                    reserve_id: false,
                    request_hash: None,
                    spec,
                }
            };
            let jobs: Vec<NewJob> = dependencies.iter().map(job).collect();
            submission_steps(&jobs).into_iter().map(<[NewJob]>::len).collect()
        };
        assert_eq!(steps(&[]), [0; 0]);
        assert_eq!(steps(&[0; 250]), [100, 100, 50]);
        assert_eq!(steps(&[10; 101]), [100, 1]);
        assert_eq!(steps(&[1_000, 1_000, 0, 0]), [1, 3]);
        assert_eq!(steps(&[400, 600, 1, 999, 1]), [2, 2, 1]);
    }
}
