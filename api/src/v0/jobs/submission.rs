//! The bodies of job submissions, and their validation into drafts. Every invalid field is refused
//! here, before anything is written.

mod batching;
mod debounce;
mod references;

use std::collections::BTreeMap;

use domain::bounds::{
    self, BATCH_KEY_CHARACTERS, COMMENT_CHARACTERS, FAIRNESS_KEY_CHARACTERS, TICKET_CHARACTERS,
    UNIQUE_KEY_CHARACTERS,
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

use batching::check_batching;
use debounce::check_debounce;
use references::References;

/// The maximum number of jobs in a batch.
pub(in crate::v0) const MAX_JOBS: usize = 10_000;

/// A job to submit. Only `action` is required. `null` means absent. Unknown fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "action": "sleep", "parameters": {"seconds": 60, "hostname": "sw1"}, "retries": 2,
    "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "scheduledAt": "", "priority": "normal",
    "uniqueKey": "nightly scan", "debounce": "", "debounceMax": "",
    "batchKey": null, "batchSize": null, "batchWait": "",
    "expiresAt": "2100-01-01T00:00:00Z",
    "backoff": {"base": "2s", "max": "1m"}, "onWorkerLost": "retry", "strictLease": false,
    "locks": {"device-{{hostname}}": 1}, "rates": {"snmp": 1}, "fairnessKey": "tenant-7",
    "when": "done",
    "dependsOn": [], "parent": null,
    "labels": {"team": "network"}, "comment": "before the release", "ticketRef": "OPS-17",
}))]
pub(in crate::v0) struct JobSubmission {
    /// The action to run: 1 to 64 characters of A-Z a-z 0-9 _ . -
    #[schema(value_type = schemas::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// The parameters of the action, with any JSON values. At most 64 KiB and 64 levels deep.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The number of retries if the job fails. Defaults to the value of the action, or 0.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// The capacity units that it needs. Defaults to the value of the action, or `{"default": 1}`.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The time from its start to SIGTERM, like `90s` or `1h30m`. Empty means none.
    #[schema(value_type = Option<schemas::Duration>)]
    deadline: Option<GoDuration>,
    /// The time from SIGTERM to SIGKILL. Empty means the default of the worker.
    #[schema(value_type = Option<schemas::Duration>)]
    stop_timeout: Option<GoDuration>,
    /// The time at which the job is due, as RFC 3339. It does not start earlier. Empty means now.
    #[schema(value_type = Option<schemas::OptionalTime>)]
    scheduled_at: Option<String>,
    /// The priority: `high`, `normal` or `low`.
    #[schema(value_type = Option<schemas::Priority>)]
    priority: Option<Priority>,
    /// Until a job with this key has finished, no other job with it is created: a submission
    /// returns the existing job, with status 200.
    #[schema(min_length = 1, max_length = 255)]
    unique_key: Option<String>,
    /// The job is due after this time. Until then, a submission with the same `uniqueKey`, action
    /// and token replaces what was submitted, and the time begins again. Requires `uniqueKey`.
    #[schema(value_type = Option<schemas::Duration>)]
    debounce: Option<GoDuration>,
    /// The longest time from the first of these submissions until the job is due. Requires
    /// `debounce`, and is not less. Empty means no limit.
    #[schema(value_type = Option<schemas::Duration>)]
    debounce_max: Option<GoDuration>,
    /// Submissions with this key that differ only in their parameters become one job, whose
    /// parameters are `{"batch": [...]}`, the list of theirs. Requires `batchSize` and `batchWait`.
    #[schema(min_length = 1, max_length = 255)]
    batch_key: Option<String>,
    /// The largest number of these submissions. When the job has as many, it is due.
    #[schema(minimum = 2, maximum = 1000)]
    batch_size: Option<u32>,
    /// The time after the first of these submissions at which the job is due in any case.
    #[schema(value_type = Option<schemas::Duration>)]
    batch_wait: Option<GoDuration>,
    /// If the job has not started by this time, it ends as `error`. RFC 3339, in the future and
    /// after `scheduledAt`.
    #[schema(value_type = Option<schemas::OptionalTime>)]
    expires_at: Option<String>,
    /// The delay before retries: `base` before the first one, doubled for each further one, up to
    /// `max`. Each delay is reduced by a random part of up to one half. The defaults are `1s` and
    /// `5m`.
    #[schema(value_type = Option<schemas::BackoffSubmission>)]
    backoff: Option<Object<job::Backoff>>,
    /// What happens when its worker dies. With `retry`, the job is retried on another worker, up
    /// to three times in a row. With `fail`, it is not retried: use this for jobs that must not run
    /// twice.
    #[schema(value_type = Option<schemas::OnWorkerLost>)]
    on_worker_lost: Option<OnWorkerLost>,
    /// Whether its worker stops it when its own lease expires, without waiting for a confirmation
    /// that the job is lost. Defaults to `false`.
    strict_lease: Option<bool>,
    /// The locks that it holds while it runs: an array of names, for one permit each, or an object
    /// of names and permits. The job starts when all of them are available. In a name,
    /// `{{hostname}}` is replaced by the parameter `hostname`. A lock has one permit unless
    /// `POST /locks` configures more. At most 16 locks are allowed.
    #[schema(value_type = Option<schemas::LockTemplates>)]
    locks: Option<LockTemplates>,
    /// The rate limits under which it starts: an array of keys, or an object of keys and the number
    /// of starts that it counts as. Parameters are replaced as in names of locks. A key that no
    /// limit of `POST /limits` applies to is not limited. At most 16 keys are allowed.
    #[schema(value_type = Option<schemas::LockTemplates>)]
    rates: Option<LockTemplates>,
    /// The ids of jobs that must finish before it starts, at most 1000. In a batch, `#0` is the
    /// first job.
    depends_on: Option<Vec<String>>,
    /// The condition that the dependencies must meet. With `done`, all must succeed, and the job
    /// fails if one does not. With `finished`, all must finish with any result.
    #[schema(value_type = Option<schemas::DependencyCondition>)]
    when: Option<DependencyCondition>,
    /// The id of its parent job, which must not have finished. In a batch, `#0` is the first job.
    parent: Option<String>,
    /// The fairness group of the job in its queue: jobs of one group do not delay those of others.
    /// Defaults to the name of the token that submits it.
    #[schema(min_length = 1, max_length = 128)]
    fairness_key: Option<String>,
    /// A comment for people.
    #[schema(max_length = 255)]
    comment: Option<String>,
    /// Names and texts by which jobs are found: at most 16. A name has 1 to 63 characters of A-Z
    /// a-z 0-9 _ . - / and a text at most 63 characters.
    #[schema(value_type = Option<schemas::Labels>)]
    labels: Option<BTreeMap<String, String>>,
    /// A ticket reference for people.
    #[schema(max_length = 32)]
    ticket_ref: Option<String>,
}

/// A batch of jobs to submit. If one of them is refused, none is created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"jobs": [
    {"action": "sleep", "parameters": {"seconds": 1}},
    {"action": "noop", "priority": "low", "dependsOn": ["#0"]},
]}))]
pub(in crate::v0) struct BatchSubmission {
    /// The jobs, at most 10,000.
    #[schema(value_type = Vec<JobSubmission>, max_items = 10000)]
    jobs: Option<Vec<Object<JobSubmission>>>,
}

impl JobSubmission {
    /// Validates the job as far as possible without the store. The id of the job is derived from
    /// the key.
    pub(in crate::v0) fn draft(
        self,
        key: Option<&IdempotencyKey>,
        caller: &Caller,
    ) -> Result<Draft, Error> {
        let keyed = key.map(IdempotencyKey::job).transpose()?;
        let id = keyed.unwrap_or_else(JobId::random);
        let draft = self.draft_as(id, keyed.is_some(), References::None, caller)?;
        Ok(Draft { request_hash: key.map(IdempotencyKey::request_hash), ..draft })
    }

    fn draft_as(
        self,
        id: JobId,
        reserve_id: bool,
        references: References<'_>,
        caller: &Caller,
    ) -> Result<Draft, Error> {
        let action = self.action.ok_or_else(|| Error::invalid("action", "it is required"))?;
        caller.check_action(&action)?;
        let retries = at_field("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = at_field("parameters", parameters)?;
        let backoff = self.backoff.map(|backoff| bounds::backoff(backoff.0)).transpose();
        let key = |field, key, max| at_field(field, bounds::key(key, max));
        let text = |field, text, max| at_field(field, bounds::text(text, max));
        let rates = self.rates.unwrap_or_default();
        let (locks, late_locks) = fields::locks_or_templates(self.locks, parameters.as_ref())?;
        let spec = JobSpec {
            locks,
            parameters,
            capacity_map: self.capacity_map,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
            retries: 0,
            unique_key: key("uniqueKey", self.unique_key, UNIQUE_KEY_CHARACTERS)?,
            debounce: self.debounce.unwrap_or_default(),
            debounce_max: self.debounce_max.unwrap_or_default(),
            batch_key: key("batchKey", self.batch_key, BATCH_KEY_CHARACTERS)?,
            batch_size: self.batch_size.unwrap_or_default(),
            batch_wait: self.batch_wait.unwrap_or_default(),
            expires_at: fields::time("expiresAt", self.expires_at)?,
            backoff: at_field("backoff.base", backoff)?,
            on_worker_lost: self.on_worker_lost.unwrap_or_default(),
            strict_lease: self.strict_lease.unwrap_or_default(),
            scheduled_by: Some(caller.name().to_owned()),
            comment: text("comment", self.comment, COMMENT_CHARACTERS)?,
            labels: fields::labels(self.labels)?,
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
        check_debounce(&spec, scheduled_at)?;
        check_batching(&spec, self.batch_size, scheduled_at)?;
        let request_hash = None;
        Ok(Draft { spec, retries, scheduled_at, id, late_locks, rates, reserve_id, request_hash })
    }
}

impl BatchSubmission {
    /// Validates all jobs; an error names the first one that is refused. The ids of the jobs are
    /// derived from the key.
    pub(in crate::v0) fn drafts(
        self,
        key: Option<&IdempotencyKey>,
        caller: &Caller,
    ) -> Result<Vec<Draft>, Error> {
        let jobs = self.jobs.ok_or_else(|| Error::invalid("jobs", "it is required"))?;
        if jobs.len() > MAX_JOBS {
            let why = format!("{} jobs are more than the maximum of {MAX_JOBS}", jobs.len());
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
        if let Some(first) = drafts.first_mut() {
            first.request_hash = key.map(IdempotencyKey::request_hash);
        }
        Ok(drafts)
    }
}

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod tests;
