//! What clients send to have jobs done, and the draft that becomes of it. Whatever is wrong is
//! refused here, by name, before anything is written.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::capacity::CapacityMap;
use shared::job::{self, ActionName, OnWorkerLost, Priority, Span, Spec, Timestamp};
use utoipa::ToSchema;

use super::body::Object;
use super::job::Backoff;
use crate::auth::Caller;
use crate::error::{Error, Place};
use crate::submit::Draft;

/// How many jobs a batch may have.
pub(super) const MOST_JOBS: usize = 10_000;
pub(super) const MOST_RETRIES: u32 = 100;
const PARAMETERS_BYTES: usize = 64 * 1024;
/// Readers of JSON give up at a depth of 128, and a list of jobs is some levels deep itself.
const PARAMETERS_DEPTH: usize = 64;
const COMMENT_CHARACTERS: usize = 255;
const TICKET_CHARACTERS: usize = 32;
const UNIQUE_KEY_CHARACTERS: usize = 255;

/// A job to be done. Only `action` is required; `null` is the same as nothing. A field that is not
/// listed here is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "action": "sleep", "parameters": {"seconds": 60}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "scheduledAt": "", "priority": "normal",
    "uniqueKey": "nightly scan", "expiresAt": "2100-01-01T00:00:00Z",
    "backoff": {"base": "2s", "max": "1m"}, "onWorkerLost": "retry", "strictLease": false,
    "comment": "before the release", "ticketRef": "OPS-17",
}))]
pub(super) struct JobSubmission {
    /// What to do: 1 to 64 characters of A-Z a-z 0-9 _ . -
    #[schema(value_type = String, required, nullable = false, min_length = 1, max_length = 64)]
    action: Option<ActionName>,
    /// What to do it with: names and any JSON values; at most 64 KiB, and 64 levels deep.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How often to try again when it fails; 0, or what the action says, unless given.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// Whole units that it needs, by type; `default: 1`, or what the action says, unless given.
    #[schema(value_type = Option<BTreeMap<String, u32>>)]
    capacity_map: Option<CapacityMap>,
    /// From its start to SIGTERM, like `90s` or `1h30m`; none when empty.
    #[schema(value_type = Option<String>)]
    deadline: Option<Span>,
    /// From SIGTERM to SIGKILL; the worker's default when empty.
    #[schema(value_type = Option<String>)]
    stop_timeout: Option<Span>,
    /// Not before this moment, as RFC 3339; now when empty.
    #[schema(value_type = Option<String>)]
    scheduled_at: Option<String>,
    /// `high`, `normal` or `low`.
    #[schema(schema_with = super::job::priority)]
    priority: Option<Priority>,
    /// While a job with this key is not over no other is made: that one is answered, with 200.
    #[schema(min_length = 1, max_length = 255)]
    unique_key: Option<String>,
    /// A job that was not started by this moment ends as `error`; RFC 3339, after `scheduledAt`.
    #[schema(value_type = Option<String>)]
    expires_at: Option<String>,
    /// How long retries wait: `base`, twice that, and so on, up to `max`; less a random part of up
    /// to a half. `base` is 1s and `max` 5m unless given.
    #[schema(value_type = Option<Backoff>)]
    backoff: Option<Object<job::Backoff>>,
    /// What happens when its worker dies: `retry` carries it on elsewhere, up to three times in a
    /// row; `fail` does not, for what must not run twice.
    #[schema(schema_with = super::job::on_worker_lost)]
    on_worker_lost: Option<OnWorkerLost>,
    /// Its worker stops it at the end of its lease, without waiting to be told that it is lost;
    /// `false` unless given.
    strict_lease: Option<bool>,
    /// A remark, for people.
    #[schema(max_length = 255)]
    comment: Option<String>,
    /// A ticket, for people.
    #[schema(max_length = 32)]
    ticket_ref: Option<String>,
}

/// Jobs to be done: all of them, or none when one of them is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"jobs": [
    {"action": "sleep", "parameters": {"seconds": 1}}, {"action": "noop", "priority": "low"},
]}))]
pub(super) struct BatchSubmission {
    /// At most 10,000.
    #[schema(value_type = Vec<JobSubmission>, max_items = 10000)]
    jobs: Option<Vec<Object<JobSubmission>>>,
}

impl JobSubmission {
    /// Checks all that can be checked without the store.
    pub(super) fn draft(self, caller: &Caller) -> Result<Draft, Error> {
        let action = self.action.ok_or_else(|| Error::invalid("action", "it is required"))?;
        if self.retries.is_some_and(|retries| retries > MOST_RETRIES) {
            let why = format!("it must be a whole number from 0 to {MOST_RETRIES}");
            return Err(Error::invalid("retries", why));
        }
        let unique_key = checked_text("uniqueKey", self.unique_key, UNIQUE_KEY_CHARACTERS)?;
        if unique_key.as_ref().is_some_and(String::is_empty) {
            return Err(Error::invalid("uniqueKey", "it is empty"));
        }
        let spec = Spec {
            parameters: self.parameters.map(checked_parameters).transpose()?,
            capacity_map: self.capacity_map,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            retries: 0,
            unique_key,
            expires_at: moment("expiresAt", self.expires_at)?,
            backoff: self.backoff.map(|backoff| checked_backoff(backoff.0)).transpose()?,
            on_worker_lost: self.on_worker_lost.unwrap_or_default(),
            strict_lease: self.strict_lease.unwrap_or_default(),
            scheduled_by: Some(caller.name().to_owned()),
            comment: checked_text("comment", self.comment, COMMENT_CHARACTERS)?,
            ticket_ref: checked_text("ticketRef", self.ticket_ref, TICKET_CHARACTERS)?,
            ..Spec::of(action)
        };
        let scheduled_at = moment("scheduledAt", self.scheduled_at)?;
        if spec.expires_at.is_some_and(|expires| scheduled_at.is_some_and(|at| expires <= at)) {
            return Err(Error::invalid("expiresAt", "it must be after scheduledAt"));
        }
        Ok(Draft { spec, retries: self.retries, scheduled_at, keyed: None })
    }
}

impl BatchSubmission {
    /// Checks all of them; an error names the first one that is refused.
    pub(super) fn drafts(self, caller: &Caller) -> Result<Vec<Draft>, Error> {
        let jobs = self.jobs.ok_or_else(|| Error::invalid("jobs", "it is required"))?;
        if jobs.len() > MOST_JOBS {
            let why = format!("{} are more than the {MOST_JOBS} of one batch", jobs.len());
            return Err(Error::invalid("jobs", why));
        }
        let drafts = jobs.into_iter().enumerate();
        drafts.map(|(at, job)| job.0.draft(caller).map_err(|error| error.in_job(at))).collect()
    }
}

pub(super) fn checked_parameters(
    parameters: Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let too_large = || {
        let place = Place::field("parameters");
        Error::TooLarge { place, limit_bytes: PARAMETERS_BYTES }
    };
    let bytes = serde_json::to_vec(&parameters).map_err(|_| too_large())?.len();
    if bytes > PARAMETERS_BYTES {
        return Err(too_large());
    }
    if parameters.values().any(|value| is_deeper_than(value, PARAMETERS_DEPTH)) {
        let why = format!("it is more than {PARAMETERS_DEPTH} levels deep");
        return Err(Error::invalid("parameters", why));
    }
    Ok(parameters)
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => {
            levels == 0 || values.iter().any(|value| is_deeper_than(value, levels - 1))
        }
        Value::Object(values) => {
            levels == 0 || values.values().any(|value| is_deeper_than(value, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A moment; the empty text is none, as the reference has it.
fn moment(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Error> {
    let moment = text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    moment.map_err(|error| Error::invalid(field, error))
}

fn checked_backoff(backoff: job::Backoff) -> Result<job::Backoff, Error> {
    const LONGEST: Duration = Duration::from_secs(5 * 60);
    let longest = backoff.max.duration().unwrap_or(LONGEST);
    if backoff.base.duration().is_some_and(|base| base > longest) {
        let why = "it must not be longer than max, which is 5m unless given";
        return Err(Error::invalid("backoff.base", why));
    }
    Ok(backoff)
}

fn checked_text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Error> {
    if text.as_ref().is_some_and(|text| text.chars().count() > most) {
        return Err(Error::invalid(field, format!("it is longer than {most} characters")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
