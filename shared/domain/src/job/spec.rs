//! What a client asks for when it submits a job.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Labels;
use crate::capacity::CapacityMap;
use crate::cron::Firing;
use crate::lock::Locks;
use crate::names::{ActionName, JobId};
use crate::priority::Priority;
use crate::time::{GoDuration, Timestamp};

/// What was asked for. Written at submission, and replaced or added to only by later submissions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// The action to run.
    pub action: ActionName,
    /// Its parameters; `None` if the client sent none, or `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Map<String, Value>>,
    /// The capacity that it needs, as the client sent it: none, an empty map, or a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_map: Option<CapacityMap>,
    /// The longest run. At its end the worker sends SIGTERM and, `stop_timeout` later, SIGKILL.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub deadline: GoDuration,
    /// The time from SIGTERM to SIGKILL.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub stop_timeout: GoDuration,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Priority,
    /// The number of times that it is retried after an error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: u32,
    /// No other job with this key is accepted until this one has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// The job is due after this time, and put off again by each submission with its unique key.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub debounce: GoDuration,
    /// The longest time, from the first of these submissions, that it is put off.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub debounce_max: GoDuration,
    /// Submissions with this key that differ only in their parameters become one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_key: Option<String>,
    /// The most submissions of that job, if it has a batch key. When it has as many, it is due.
    #[serde(default, skip_serializing_if = "is_default")]
    pub batch_size: u32,
    /// The time after the first of these submissions at which it is due in any case.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub batch_wait: GoDuration,
    /// The job ends in `error` if it has not started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The delay before a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// What happens if its worker is lost.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_worker_lost: OnWorkerLost,
    /// The worker stops the run when the lease ends, even if it cannot reach the store to learn
    /// that the lease is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_lease: bool,
    /// Who submitted it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_by: Option<String>,
    /// A remark, for people; at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The labels by which it is found.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// A ticket, for people; at most 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<String>,
    /// The firing of a cron that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<Firing>,
    /// The locks that it holds while it runs.
    #[serde(default, skip_serializing_if = "Locks::is_empty")]
    pub locks: Locks,
    /// Jobs that must end before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<JobId>,
    /// How those jobs must end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub when: DependencyCondition,
    /// The job of which it is a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<JobId>,
    /// The fairness group among the jobs of `scheduled_by`: of each group of a queue, only some are
    /// offered at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness_key: Option<String>,
}

/// How the jobs that one depends on must end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyCondition {
    /// In `done`. If one cannot, the dependent job ends in `error`.
    #[default]
    Done,
    /// In any final status.
    Finished,
}

impl JobSpec {
    /// Returns a spec with an action and otherwise default values.
    #[must_use]
    pub fn of(action: ActionName) -> JobSpec {
        JobSpec {
            action,
            parameters: None,
            capacity_map: None,
            deadline: GoDuration::default(),
            stop_timeout: GoDuration::default(),
            priority: Priority::default(),
            retries: 0,
            unique_key: None,
            debounce: GoDuration::default(),
            debounce_max: GoDuration::default(),
            batch_key: None,
            batch_size: 0,
            batch_wait: GoDuration::default(),
            expires_at: None,
            backoff: None,
            on_worker_lost: OnWorkerLost::default(),
            strict_lease: false,
            scheduled_by: None,
            comment: None,
            labels: Labels::default(),
            ticket_ref: None,
            cron: None,
            locks: Locks::default(),
            depends_on: Vec::new(),
            when: DependencyCondition::default(),
            parent: None,
            fairness_key: None,
        }
    }
}

/// Leaves default values out of the stored JSON.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The delay before a retry: `base` before the first, doubled for each further one, at most `max`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// The delay before the first retry; 1s if not set.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub base: GoDuration,
    /// The longest delay; 5m if not set.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub max: GoDuration,
}

/// What happens to a job if its worker is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWorkerLost {
    /// A follow-up continues it on another worker.
    #[default]
    Retry,
    /// The job is not run again.
    Fail,
}
