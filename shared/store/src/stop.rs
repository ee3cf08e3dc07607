//! What people ask for of jobs and workers: cancel, delete, retry, drain, another capacity.

use super::answer::{read, unknown};
use super::{Store, StoreError};
use domain::capacity::CapacityMap;
use domain::job::{Cancellation, JobId, Status, WorkerId};

/// How many jobs one call cancels: a script blocks Redis.
const MOST_PER_CALL: usize = 100;

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelling {
    /// It is cancelled, or asked to stop, as the status says.
    Asked(Status),
    /// It was over, or had been asked before.
    Already(Status),
    /// There is no such job.
    Gone,
}

/// What became of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleting {
    /// Record and log are gone.
    Deleted,
    /// It is asked to stop, and goes when it has.
    Requested,
    /// There is no such job, or only its tombstone.
    Gone,
}

/// What became of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retrying {
    /// The follow-up is there.
    Created,
    /// It has a follow-up already.
    Followed(JobId),
    /// This job has its unique key and is not over.
    Taken(JobId),
    /// It is not over, or deleted.
    Refused(Status),
    /// There is no such job.
    Gone,
}

/// What an operator wants of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steer {
    /// To claim nothing until it is resumed.
    Drain,
    /// To claim again.
    Resume,
    /// To offer this.
    Capacity(CapacityMap),
}

/// What became of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// It hears it with its next beat, and is told to beat at once.
    Told,
    /// It is dead, or has left.
    Over,
    /// There is no such worker.
    Gone,
}

impl Store {
    /// Cancels jobs, each by itself; the answers are in the order asked.
    pub async fn cancel(
        &self,
        ids: &[JobId],
        why: &Cancellation,
    ) -> Result<Vec<Cancelling>, StoreError> {
        let mut cancelled = Vec::with_capacity(ids.len());
        for some in ids.chunks(MOST_PER_CALL) {
            let answer = self.call(&self.scripts.cancel, |call| {
                call.arg(&why.by).arg(&why.reason);
                for id in some {
                    call.arg(id.to_string());
                }
            });
            for part in answer.await?.parts()? {
                cancelled.push(cancelling(&part.words()?)?);
            }
        }
        Ok(cancelled)
    }

    /// Deletes a job with its log; one that runs is cancelled first.
    pub async fn delete(&self, id: JobId) -> Result<Deleting, StoreError> {
        let answer = self.call(&self.scripts.delete, |call| {
            call.arg(id.to_string());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["deleted"] => Ok(Deleting::Deleted),
            ["requested"] => Ok(Deleting::Requested),
            ["already"] | ["gone"] => Ok(Deleting::Gone),
            _ => Err(unknown("delete", &words)),
        }
    }

    /// Makes a follow-up of a job that is over, under the id `follow_up`.
    pub async fn retry(&self, id: JobId, follow_up: JobId) -> Result<Retrying, StoreError> {
        let answer = self.call(&self.scripts.retry, |call| {
            call.arg(id.to_string()).arg(follow_up.to_string());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["created"] => Ok(Retrying::Created),
            ["followed", id] => Ok(Retrying::Followed(read("retry", id)?)),
            ["taken", id] => Ok(Retrying::Taken(read("retry", id)?)),
            ["refused", status] => Ok(Retrying::Refused(read("retry", status)?)),
            ["gone"] => Ok(Retrying::Gone),
            _ => Err(unknown("retry", &words)),
        }
    }

    /// Tells a worker what it shall do.
    pub async fn steer(&self, worker: &WorkerId, wanted: &Steer) -> Result<Steered, StoreError> {
        let (field, value) = match wanted {
            Steer::Drain => ("drain", "1".to_owned()),
            Steer::Resume => ("drain", String::new()),
            Steer::Capacity(map) => ("wantedMap", serde_json::to_string(map).unwrap_or_default()),
        };
        let answer = self.call(&self.scripts.steer, |call| {
            call.arg(worker.as_str()).arg(field).arg(value);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["steered"] => Ok(Steered::Told),
            ["over", _] => Ok(Steered::Over),
            ["gone"] => Ok(Steered::Gone),
            _ => Err(unknown("steer", &words)),
        }
    }
}

fn cancelling(words: &[String]) -> Result<Cancelling, StoreError> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cancelled", status] => Ok(Cancelling::Asked(read("cancel", status)?)),
        ["already", status] => Ok(Cancelling::Already(read("cancel", status)?)),
        ["gone"] => Ok(Cancelling::Gone),
        _ => Err(unknown("cancel", words)),
    }
}
