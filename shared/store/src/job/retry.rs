//! Retries a job by hand.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{JobId, Status};

static RETRY: Script = Script::new("retry", include_str!("retry.lua"));

/// What became of a request to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAnswer {
    /// The follow-up is created.
    Created,
    /// The job has a follow-up already.
    Followed(JobId),
    /// Another job has its unique key and is not over.
    Taken(JobId),
    /// The job is not over, or is deleted.
    Refused(Status),
    /// There is no such job.
    Gone,
}

impl Store {
    /// Creates a follow-up of a job that is over, with the id `follow_up`.
    pub async fn retry(&self, id: JobId, follow_up: JobId) -> Result<RetryAnswer, StoreError> {
        let answer = self.call(&RETRY, |call| {
            call.arg(id.to_string()).arg(follow_up.to_string());
        });
        answer.await?.decode(|words| match words {
            ["created"] => Some(RetryAnswer::Created),
            ["followed", id] => Some(RetryAnswer::Followed(id.parse().ok()?)),
            ["taken", id] => Some(RetryAnswer::Taken(id.parse().ok()?)),
            ["refused", status] => Some(RetryAnswer::Refused(status.parse().ok()?)),
            ["gone"] => Some(RetryAnswer::Gone),
            _ => None,
        })
    }
}
