//! Changes the priority or the time of a waiting job.

use crate::bounds::CHANGE_TRIES;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{JobId, Priority, Status, Timestamp};
use serde_json::{Map, Value};

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
        for _ in 0..CHANGE_TRIES {
            // A submission may join or replace the job after its spec is read.
            let (was, spec) = match change.priority {
                Some(priority) => self.spec_with(id, priority).await?,
                None => None,
            }
            .unwrap_or_default();
            if let Some(answer) = self.try_change(id, change, (&was, &spec)).await? {
                return Ok(answer);
            }
        }
        let why = "its parameters change too often to change its priority";
        Err(StoreError::unreadable(format!("job {id}"), why))
    }

    /// Changes a job and, if its spec is as the first text, writes the second one. `None` if it is
    /// not.
    async fn try_change(
        &self,
        id: JobId,
        change: JobChange,
        (was, spec): (&str, &str),
    ) -> Result<Option<ChangeAnswer>, StoreError> {
        let answer = self.call(&CHANGE, |call| {
            call.arg(id.to_string());
            call.arg(change.priority.map(Priority::as_str).unwrap_or_default());
            call.arg(change.scheduled_at.map(|at| at.ms().to_string()).unwrap_or_default());
            call.arg(spec).arg(was);
        });
        answer.await?.decode(|words| match words {
            ["changed"] => Some(Some(ChangeAnswer::Changed)),
            ["refused", status] => Some(Some(ChangeAnswer::Refused(status.parse().ok()?))),
            ["too_late", at] => {
                Some(Some(ChangeAnswer::TooLate(Timestamp::from_ms(at.parse().ok()?))))
            }
            ["overtaken"] => Some(None),
            ["gone"] => Some(Some(ChangeAnswer::Gone)),
            _ => None,
        })
    }

    /// The spec of a job, and the same with another priority. Fields that only a later build knows
    /// are kept.
    async fn spec_with(
        &self,
        id: JobId,
        priority: Priority,
    ) -> Result<Option<(String, String)>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.job(id)).arg("spec");
        let spec: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let Some(was) = spec else { return Ok(None) };
        let unreadable = |error| StoreError::unreadable(format!("spec of {id}"), error);
        let mut spec: Map<String, Value> = serde_json::from_str(&was).map_err(unreadable)?;
        if priority == Priority::default() {
            spec.remove("priority");
        } else {
            spec.insert("priority".to_owned(), priority.as_str().into());
        }
        Ok(Some((was, Value::Object(spec).to_string())))
    }
}
