//! What clients send to have jobs done, and the draft that becomes of it. Whatever is wrong is
//! refused here, by name, before anything is written.

mod references;

use domain::bounds::{
    self, COMMENT_CHARACTERS, FAIRNESS_KEY_CHARACTERS, TICKET_CHARACTERS, UNIQUE_KEY_CHARACTERS,
};
use domain::capacity::CapacityMap;
use domain::job::{
    self, ActionName, DependencyCondition, GoDuration, JobId, JobSpec, OnWorkerLost, Priority,
};
use domain::lock::LockTemplates;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::error::{Error, at_field};
use crate::submit::{Draft, IdempotencyKey};
use crate::v0::wire::body::Object;
use crate::v0::wire::fields;
use crate::v0::wire::schemas;

use references::References;

/// How many jobs a batch may have.
pub(in crate::v0) const MAX_JOBS: usize = 10_000;

/// A job to be done. Only `action` is required; `null` is the same as nothing. A field that is not
/// listed here is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "action": "sleep", "parameters": {"seconds": 60, "hostname": "sw1"}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "scheduledAt": "", "priority": "normal",
    "uniqueKey": "nightly scan", "expiresAt": "2100-01-01T00:00:00Z",
    "backoff": {"base": "2s", "max": "1m"}, "onWorkerLost": "retry", "strictLease": false,
    "locks": {"device-{{hostname}}": 1}, "fairnessKey": "tenant-7", "when": "done",
    "dependsOn": [], "parent": null,
    "comment": "before the release", "ticketRef": "OPS-17",
}))]
pub(in crate::v0) struct JobSubmission {
    /// What to do: 1 to 64 characters of A-Z a-z 0-9 _ . -
    #[schema(value_type = schemas::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// What to do it with: names and any JSON values; at most 64 KiB, and 64 levels deep.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How often to try again when it fails; 0, or what the action says, unless given.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// Whole units that it needs, by type; `default: 1`, or what the action says, unless given.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// From its start to SIGTERM, like `90s` or `1h30m`; none when empty.
    #[schema(value_type = Option<schemas::Duration>)]
    deadline: Option<GoDuration>,
    /// From SIGTERM to SIGKILL; the worker's default when empty.
    #[schema(value_type = Option<schemas::Duration>)]
    stop_timeout: Option<GoDuration>,
    /// Not before this moment, as RFC 3339; now when empty.
    #[schema(value_type = Option<schemas::Moment>)]
    scheduled_at: Option<String>,
    /// `high`, `normal` or `low`.
    #[schema(value_type = Option<schemas::Priority>)]
    priority: Option<Priority>,
    /// While a job with this key is not over no other is made: that one is answered, with 200.
    #[schema(min_length = 1, max_length = 255)]
    unique_key: Option<String>,
    /// A job that was not started by this moment ends as `error`; RFC 3339, after `scheduledAt`.
    #[schema(value_type = Option<schemas::Moment>)]
    expires_at: Option<String>,
    /// How long retries wait: `base`, twice that, and so on, up to `max`; less a random part of up
    /// to a half. `base` is 1s and `max` 5m unless given.
    #[schema(value_type = Option<schemas::BackoffSubmission>)]
    backoff: Option<Object<job::Backoff>>,
    /// What happens when its worker dies: `retry` carries it on elsewhere, up to three times in a
    /// row; `fail` does not, for what must not run twice.
    #[schema(value_type = Option<schemas::OnWorkerLost>)]
    on_worker_lost: Option<OnWorkerLost>,
    /// Its worker stops it at the end of its lease, without waiting to be told that it is lost;
    /// `false` unless given.
    strict_lease: Option<bool>,
    /// What it holds while it runs, all of it or nothing: names, for one permit of each, or an object
    /// of names and permits. In a name `{{hostname}}` stands for its parameter `hostname`. A lock has
    /// one permit unless `POST /locks` says otherwise; at most 16.
    #[schema(value_type = Option<schemas::LockPatterns>)]
    locks: Option<LockTemplates>,
    /// Jobs that have to be over before it runs, at most 1000 different ones; in a batch `#0` is its
    /// first job.
    depends_on: Option<Vec<String>>,
    /// How they have to be over: all `done`, or it ends too; or `finished`, whatever came of them.
    #[schema(value_type = Option<schemas::When>)]
    when: Option<DependencyCondition>,
    /// The job whose child it is, which must not be over; in a batch `#0` is its first job.
    parent: Option<String>,
    /// Whose share of its queue it is in: jobs of one share do not hold up those of others. Who
    /// asked, unless given.
    #[schema(min_length = 1, max_length = 128)]
    fairness_key: Option<String>,
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
    {"action": "sleep", "parameters": {"seconds": 1}}, {"action": "noop", "priority": "low", "dependsOn": ["#0"]},
]}))]
pub(in crate::v0) struct BatchSubmission {
    /// At most 10,000.
    #[schema(value_type = Vec<JobSubmission>, max_items = 10000)]
    jobs: Option<Vec<Object<JobSubmission>>>,
}

impl JobSubmission {
    /// Checks all that can be checked without the store. The job's id follows from the key.
    pub(in crate::v0) fn draft(
        self,
        key: Option<&IdempotencyKey>,
        caller: &Caller,
    ) -> Result<Draft, Error> {
        let id = key.map(IdempotencyKey::job).transpose()?;
        self.draft_as(id.unwrap_or_else(JobId::random), id.is_some(), References::None, caller)
    }

    fn draft_as(
        self,
        id: JobId,
        once: bool,
        references: References<'_>,
        caller: &Caller,
    ) -> Result<Draft, Error> {
        let action = self.action.ok_or_else(|| Error::invalid("action", "it is required"))?;
        let retries = at_field("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = at_field("parameters", parameters)?;
        let backoff = self.backoff.map(|backoff| bounds::backoff(backoff.0)).transpose();
        let key = |field, key, most| at_field(field, bounds::key(key, most));
        let text = |field, text, most| at_field(field, bounds::text(text, most));
        let (locks, late_locks) = fields::locks_or_patterns(self.locks, parameters.as_ref())?;
        let spec = JobSpec {
            locks,
            parameters,
            capacity_map: self.capacity_map,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            retries: 0,
            unique_key: key("uniqueKey", self.unique_key, UNIQUE_KEY_CHARACTERS)?,
            expires_at: fields::time("expiresAt", self.expires_at)?,
            backoff: at_field("backoff.base", backoff)?,
            on_worker_lost: self.on_worker_lost.unwrap_or_default(),
            strict_lease: self.strict_lease.unwrap_or_default(),
            scheduled_by: Some(caller.name().to_owned()),
            comment: text("comment", self.comment, COMMENT_CHARACTERS)?,
            ticket_ref: text("ticketRef", self.ticket_ref, TICKET_CHARACTERS)?,
            cron: None,
            depends_on: references.dependencies(self.depends_on.unwrap_or_default())?,
            when: self.when.unwrap_or_default(),
            parent: references.parent(self.parent)?,
            fairness_key: key("fairnessKey", self.fairness_key, FAIRNESS_KEY_CHARACTERS)?,
            action,
        };
        let scheduled_at = fields::time("scheduledAt", self.scheduled_at)?;
        if spec.expires_at.is_some_and(|expires| scheduled_at.is_some_and(|at| expires <= at)) {
            return Err(Error::invalid("expiresAt", "it must be after scheduledAt"));
        }
        Ok(Draft { spec, retries, scheduled_at, id, late_locks, once })
    }
}

impl BatchSubmission {
    /// Checks all of them; an error names the first one that is refused. Their ids follow from the
    /// key.
    pub(in crate::v0) fn drafts(
        self,
        key: Option<&IdempotencyKey>,
        caller: &Caller,
    ) -> Result<Vec<Draft>, Error> {
        let jobs = self.jobs.ok_or_else(|| Error::invalid("jobs", "it is required"))?;
        if jobs.len() > MAX_JOBS {
            let why = format!("{} are more than the {MAX_JOBS} of one batch", jobs.len());
            return Err(Error::invalid("jobs", why));
        }
        let (mut drafts, mut ids) = (Vec::with_capacity(jobs.len()), Vec::new());
        for (at, job) in jobs.into_iter().enumerate() {
            let keyed = key.map(|key| key.job_of_batch(at)).transpose()?;
            let id = keyed.unwrap_or_else(JobId::random);
            let draft = job.0.draft_as(id, keyed.is_some(), References::Batch(&ids), caller);
            drafts.push(draft.map_err(|error| error.in_job(at))?);
            ids.push(id);
        }
        Ok(drafts)
    }
}

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod tests;
