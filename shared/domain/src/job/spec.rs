//! What was asked for, as clients say it and the store keeps it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ActionName, JobId, Priority, Span, Timestamp};
use crate::capacity::CapacityMap;
use crate::cron::Firing;
use crate::lock::Locks;

/// What was asked for. Written once, when the job is submitted, and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// What to do.
    pub action: ActionName,
    /// What to do it with; `None` when the client gave none (or `null`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Map<String, Value>>,
    /// The need as the client gave it: none, an empty map, or a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_map: Option<CapacityMap>,
    /// From the start of the run; then SIGTERM and, `stop_timeout` later, SIGKILL.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub deadline: Span,
    /// From SIGTERM to SIGKILL.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub stop_timeout: Span,
    /// Which band of its class's queues the job goes through.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// How often it may be tried again in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// While a job with this key is not over, no other is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// When it has not been started by then, it ends as an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How long a retry waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// What happens when its worker is lost.
    #[serde(default, skip_serializing_if = "OnWorkerLost::is_retry")]
    pub on_worker_lost: OnWorkerLost,
    /// Its worker stops it at the end of the lease, without waiting to be told that the lease is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_lease: bool,
    /// Who asked, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_by: Option<String>,
    /// A remark, for people; at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// A ticket, for people; at most 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<String>,
    /// The cron that made it, and for which tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<Firing>,
    /// What it holds while it runs.
    #[serde(default, skip_serializing_if = "Locks::is_empty")]
    pub locks: Locks,
    /// Jobs that have to be over before it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<JobId>,
    /// How they have to be over.
    #[serde(default, skip_serializing_if = "When::is_done")]
    pub when: When,
    /// The job whose child it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<JobId>,
    /// Whose share of its queue it is in; who asked, when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness_key: Option<String>,
}

/// How the jobs that one depends on have to be over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All done; if one cannot succeed, neither can this.
    #[default]
    Done,
    /// All over, whatever came of them.
    Finished,
}

impl When {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_done(&self) -> bool {
        *self == When::Done
    }
}

impl Spec {
    /// An action, with nothing said beyond its name.
    #[must_use]
    pub fn of(action: ActionName) -> Spec {
        Spec {
            action,
            parameters: None,
            capacity_map: None,
            deadline: Span::default(),
            stop_timeout: Span::default(),
            priority: Priority::default(),
            retries: 0,
            unique_key: None,
            expires_at: None,
            backoff: None,
            on_worker_lost: OnWorkerLost::default(),
            strict_lease: false,
            scheduled_by: None,
            comment: None,
            ticket_ref: None,
            cron: None,
            locks: Locks::default(),
            depends_on: Vec::new(),
            when: When::default(),
            parent: None,
            fairness_key: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How long a retry waits: `base`, twice that for the next one, and so on, never more than `max`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// Before the first retry; empty is 1s.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub base: Span,
    /// The longest; empty is 5m.
    #[serde(default, skip_serializing_if = "Span::is_none")]
    pub max: Span,
}

/// What happens to a job when its worker is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWorkerLost {
    /// A follow-up carries on elsewhere.
    #[default]
    Retry,
    /// Nothing does: it must not run twice.
    Fail,
}

impl OnWorkerLost {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    fn is_retry(&self) -> bool {
        *self == OnWorkerLost::Retry
    }
}
