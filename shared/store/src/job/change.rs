//! Changes the priority or the time of a waiting job.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{JobId, JobSpec, Priority, Status, Timestamp};

static CHANGE: Script = Script::new("change", include_str!("change.lua"));

/// What to change; what is not given stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobChange {
    /// The priority.
    pub priority: Option<Priority>,
    /// The earliest start.
    pub scheduled_at: Option<Timestamp>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// The job is as requested.
    Changed,
    /// The job does not wait, or only for its children.
    Refused(Status),
    /// The job would expire before.
    TooLate(Timestamp),
    /// There is no such job.
    Gone,
}

impl Store {
    /// Changes a waiting job.
    pub async fn change(&self, id: JobId, change: JobChange) -> Result<ChangeAnswer, StoreError> {
        let Some(job) = self.job(id).await? else { return Ok(ChangeAnswer::Gone) };
        let spec = change.priority.map(|priority| {
            let spec = JobSpec { priority, ..job.spec };
            serde_json::to_string(&spec).unwrap_or_default()
        });
        let answer = self.call(&CHANGE, |call| {
            call.arg(id.to_string());
            call.arg(change.priority.map(Priority::as_str).unwrap_or_default());
            call.arg(change.scheduled_at.map(|at| at.ms().to_string()).unwrap_or_default());
            call.arg(spec.unwrap_or_default());
        });
        answer.await?.decode(|words| match words {
            ["changed"] => Some(ChangeAnswer::Changed),
            ["refused", status] => Some(ChangeAnswer::Refused(status.parse().ok()?)),
            ["too_late", at] => Some(ChangeAnswer::TooLate(Timestamp::from_ms(at.parse().ok()?))),
            ["gone"] => Some(ChangeAnswer::Gone),
            _ => None,
        })
    }
}
