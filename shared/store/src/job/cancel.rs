//! Cancels jobs.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{Cancellation, JobId, Status};

static CANCEL: Script = Script::new("cancel", include_str!("cancel.lua"));

/// How many jobs one call cancels: a script blocks Redis.
const MOST_PER_CALL: usize = 100;

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAnswer {
    /// The job is cancelled, or asked to stop, as the status says.
    Requested(Status),
    /// The job was over, or had been asked before.
    Already(Status),
    /// There is no such job.
    Gone,
}

impl Store {
    /// Cancels jobs one by one; the answers are in the order of the ids.
    pub async fn cancel(
        &self,
        ids: &[JobId],
        why: &Cancellation,
    ) -> Result<Vec<CancelAnswer>, StoreError> {
        let mut answers = Vec::with_capacity(ids.len());
        for some in ids.chunks(MOST_PER_CALL) {
            let answer = self.call(&CANCEL, |call| {
                call.arg(&why.by).arg(&why.reason);
                for id in some {
                    call.arg(id.to_string());
                }
            });
            answers.extend(answer.await?.decode_each(|words| match words {
                ["cancelled", status] => Some(CancelAnswer::Requested(status.parse().ok()?)),
                ["already", status] => Some(CancelAnswer::Already(status.parse().ok()?)),
                ["gone"] => Some(CancelAnswer::Gone),
                _ => None,
            })?);
        }
        Ok(answers)
    }
}
