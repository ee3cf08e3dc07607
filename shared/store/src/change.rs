//! A waiting job under another priority, or at another time.

use super::answer::{read, unknown};
use super::start::MAX_QUEUES;
use super::{Store, StoreError};
use domain::job::{JobId, Priority, Status, Timestamp};

/// What is to be otherwise; what is not given stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobChange {
    /// The band of its class's queues.
    pub priority: Option<Priority>,
    /// Not before this moment.
    pub scheduled_at: Option<Timestamp>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is as it was asked to be.
    Done,
    /// It does not wait, or only for its children.
    Refused(Status),
    /// It would expire before that.
    TooLate(Timestamp),
    /// There is no such job.
    Gone,
}

impl Store {
    /// Changes a job that waits.
    pub async fn change(&self, id: JobId, change: JobChange) -> Result<Changed, StoreError> {
        let Some(job) = self.job(id).await? else { return Ok(Changed::Gone) };
        let spec = change.priority.map(|priority| {
            let spec = domain::job::JobSpec { priority, ..job.spec };
            serde_json::to_string(&spec).unwrap_or_default()
        });
        let answer = self.call(&self.scripts.change, |call| {
            call.arg(MAX_QUEUES).arg(id.to_string());
            call.arg(change.priority.map(Priority::as_str).unwrap_or_default());
            call.arg(change.scheduled_at.map(|at| at.ms().to_string()).unwrap_or_default());
            call.arg(spec.unwrap_or_default());
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["changed"] => Ok(Changed::Done),
            ["refused", status] => Ok(Changed::Refused(read("change", status)?)),
            ["too_late", at] => Ok(Changed::TooLate(Timestamp::from_ms(read("change", at)?))),
            ["too_many_queues", queue] => Err(StoreError::TooManyQueues(queue.to_owned())),
            ["gone"] => Ok(Changed::Gone),
            _ => Err(unknown("change", &words)),
        }
    }
}
