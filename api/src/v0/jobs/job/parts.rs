//! Parts of a job that clients are shown.

use domain::cron;
use domain::job::{self, GoDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::v0::wire::schemas;
use crate::wait_reason::Reason;

/// How long retries wait: `base`, twice that for the next one, and so on, never more than `max`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"base": "2s", "max": "1m"}))]
pub(in crate::v0) struct Backoff {
    /// Before the first retry, like `2s`; empty is 1s.
    #[schema(value_type = schemas::Duration)]
    pub(in crate::v0) base: GoDuration,
    /// The longest; empty is 5m.
    #[schema(value_type = schemas::Duration)]
    pub(in crate::v0) max: GoDuration,
}

/// Why a job waits.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct WaitingFor {
    /// `due`: not yet; `dependency`: for jobs that it depends on; `children`: for its own; `paused`:
    /// its action or class is; `lock`: others hold one, or stand before it; `share`: others of its
    /// share go first; `capacity`, `action`: no live worker could run it; `draining`: who could
    /// takes no jobs now; `queue`: others go first.
    #[schema(value_type = schemas::WaitingCode)]
    code: &'static str,
    /// One sentence for people.
    #[schema(example = "no live worker offers gpu=4")]
    message: String,
}

/// Why a job ended in an error.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Exception {
    /// A word to tell cases apart.
    #[serde(rename = "type")]
    #[schema(example = "ExitCode")]
    kind: String,
    /// One sentence for people.
    message: String,
    /// More, where there is more.
    detail: Option<Value>,
}

/// Which tick of its cron a job is for.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Firing {
    /// Its name, `<cron>@<tick>`.
    #[schema(example = "gc@2018-04-28T01:00:00Z")]
    name: String,
    /// The moment that the line names; when it was asked for, of one that was.
    #[schema(value_type = String, format = DateTime)]
    tick: Timestamp,
    /// `tick`: its time had come; `run`: somebody asked for it.
    #[schema(example = "tick")]
    cause: &'static str,
    /// How many earlier ticks it stands for, or were left out before it, because nobody was there for them.
    missed: u64,
}

/// How the children of a job are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"open": 3, "failed": 0}))]
pub(in crate::v0) struct Children {
    /// How many are not over.
    pub(in crate::v0) open: u64,
    /// How many did not succeed.
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
