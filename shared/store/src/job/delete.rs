//! Deletes a job.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::JobId;

static DELETE: Script = Script::new("delete", include_str!("delete.lua"));

/// What became of a request to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteAnswer {
    /// Record and log are removed.
    Deleted,
    /// The job is asked to stop, and is deleted when it has.
    Requested,
    /// There is no such job, or only its tombstone.
    Gone,
}

impl Store {
    /// Deletes a job with its log; one that runs is cancelled first.
    pub async fn delete(&self, id: JobId) -> Result<DeleteAnswer, StoreError> {
        let answer = self.call(&DELETE, |call| {
            call.arg(id.to_string());
        });
        answer.await?.decode(|words| match words {
            ["deleted"] => Some(DeleteAnswer::Deleted),
            ["requested"] => Some(DeleteAnswer::Requested),
            ["already"] | ["gone"] => Some(DeleteAnswer::Gone),
            _ => None,
        })
    }
}
