//! The objects inside a job in the JSON of this surface.

use domain::cron;
use domain::job::{self, GoDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::v0::wire::schemas;
use crate::wait_reason::Reason;

/// The delay before retries: `base` before the first one, doubled for each further one, up to
/// `max`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"base": "2s", "max": "1m"}))]
pub(in crate::v0) struct Backoff {
    /// The delay before the first retry, like `2s`. Empty means 1s.
    #[schema(value_type = schemas::Duration)]
    pub(in crate::v0) base: GoDuration,
    /// The longest delay. Empty means 5m.
    #[schema(value_type = schemas::Duration)]
    pub(in crate::v0) max: GoDuration,
}

/// The reason why a job waits.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct WaitingFor {
    /// The reason, for programs. `outage`: no scheduler is running, none can publish to RabbitMQ, or
    /// the store is full. `due`: the job is not due yet. `dependency`: a job that it depends
    /// on has not finished. `children`: a child of it has not finished. `paused`: its action or
    /// class is paused. `lock`: a lock that it needs is held, or other jobs are ahead of it in the
    /// wait queue. `fairness`: other jobs of its fairness group are ahead of it. `capacity`: no
    /// live worker offers the capacity that it needs. `action`: no live worker with that capacity
    /// knows its action, or only some do and other jobs of the action are ahead of it. `draining`:
    /// every worker that could run it is draining. `gathering`: workers could run it, but none has
    /// all the capacity that it needs free at once. `queue`: other jobs are ahead of it in the
    /// queue, or the namespace has no room for its queue.
    #[schema(value_type = schemas::WaitReasonCode)]
    code: &'static str,
    /// The reason, for people.
    #[schema(example = "no live worker offers gpu=4")]
    message: String,
}

/// The error with which a job ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Exception {
    /// The type of the error, for programs.
    #[serde(rename = "type")]
    #[schema(example = "ExitCode")]
    kind: String,
    /// The error message, for people.
    message: String,
    /// Further details. `null` if there are none.
    detail: Option<Value>,
}

/// The tick of a cron for which a job was created.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Firing {
    /// The name of the firing, `<cron>@<tick>`.
    #[schema(example = "gc@2018-04-28T01:00:00Z")]
    name: String,
    /// The time of the tick. For a manual run, the time at which it was requested.
    #[schema(value_type = String, format = DateTime)]
    tick: Timestamp,
    /// `tick` if the schedule created the job, `run` if it was requested manually.
    #[schema(example = "tick")]
    cause: &'static str,
    /// The number of missed ticks before this one that were dropped or are covered by this job.
    missed: u64,
}

/// The state of the children of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"open": 3, "failed": 0}))]
pub(in crate::v0) struct Children {
    /// The number of children that have not finished.
    pub(in crate::v0) open: u64,
    /// The number of children that did not succeed.
    pub(in crate::v0) failed: u32,
}

impl From<Reason> for WaitingFor {
    fn from(reason: Reason) -> WaitingFor {
        let Reason { code, message } = reason;
        WaitingFor { code, message }
    }
}

impl From<job::Exception> for Exception {
    fn from(exception: job::Exception) -> Exception {
        let job::Exception { kind, message, detail } = exception;
        Exception { kind, message, detail }
    }
}

impl From<cron::Firing> for Firing {
    fn from(firing: cron::Firing) -> Firing {
        let (tick, cause, missed) = (firing.tick, firing.cause.as_str(), firing.missed);
        Firing { name: firing.to_string(), tick, cause, missed }
    }
}
