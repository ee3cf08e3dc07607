//! A job in the JSON of this surface, with the field names of DTR.

mod parts;

use std::collections::BTreeMap;

use domain::capacity::CapacityMap;
use domain::cron::CronName;
use domain::job::{
    self, ActionName, DependencyCondition, FencingToken, GoDuration, JobId, Labels, OnWorkerLost,
    Priority, Status, Timestamp,
};
use domain::lock::Locks;
use domain::signal::Signal;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::redaction::shown_parameters;
use crate::v0::jobs::signal::ReceivedSignal;
use crate::v0::wire::schemas;
use crate::wait_reason::Reason;

pub(in crate::v0) use parts::Backoff;

use parts::{Children, Exception, Firing, WaitingFor};

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
    "retryFromID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
    "workerID": "f97ebb52f0f6", "status": "done",
    "scheduledAt": "2026-11-20T16:54:34.717Z", "lastUpdated": "2026-11-20T16:58:34.727Z",
    "action": "update_db", "retriesLeft": 0, "retriesTotal": 0, "capacityMap": null,
    "parameters": null, "deadline": "", "stopTimeout": "5s", "number": 7,
    "createdAt": "2026-11-20T16:54:34.717Z", "startedAt": "2026-11-20T16:54:34.719Z",
    "finishedAt": "2026-11-20T16:58:34.727Z", "priority": "normal", "scheduledBy": "unknown",
    "labels": {"team": "network"}, "comment": null, "ticketRef": null, "cron": null, "firing": null, "attempt": 1, "crashes": 0, "heldBack": 0,
    "locks": {"devices": 1}, "rates": {"mail": 1}, "holds": {"devices": 1}, "dependsOn": [],
    "when": "done",
    "parent": null, "next": null, "fairnessKey": null, "result": null, "exception": null,
    "progress": null, "followUpID": null, "fencingToken": 12,
    "uniqueKey": null, "debounce": "", "debounceMax": "", "replaced": 0,
    "batchKey": null, "batchSize": 0, "batchWait": "", "batched": 0, "expiresAt": null,
    "backoff": {"base": "2s", "max": "1m"},
    "onWorkerLost": "retry", "strictLease": false, "cancelBy": null, "cancelReason": null,
}))]
pub(in crate::v0) struct Job {
    /// The id of the job.
    #[schema(value_type = String, format = Uuid)]
    id: JobId,
    /// The id of the job that it retries. For a job that is not a retry, its own id.
    #[serde(rename = "retryFromID")]
    #[schema(value_type = String, format = Uuid)]
    retry_from_id: JobId,
    /// The id of the worker that claimed it. Empty if it has not been claimed.
    #[serde(rename = "workerID")]
    worker_id: String,
    /// The status of the job.
    #[schema(value_type = schemas::Status)]
    status: Status,
    /// The time at which the job is or was due.
    #[schema(value_type = String, format = DateTime)]
    scheduled_at: Timestamp,
    /// The time at which its status last changed.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
    /// The action that the job runs.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// The number of retries that remain if it fails.
    retries_left: u32,
    /// The number of retries that its first attempt had.
    retries_total: u32,
    /// The capacity units that it needs, as submitted. `null` if none were given.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The parameters of the action. `null` if none were given. The values of `headers` of the
    /// action `webhook` are shown as `***`.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The time from its start to SIGTERM. Empty means none.
    #[schema(value_type = schemas::Duration)]
    deadline: GoDuration,
    /// The time from SIGTERM to SIGKILL. Empty means the default of the worker.
    #[schema(value_type = schemas::Duration)]
    stop_timeout: GoDuration,
    /// The number of the job in the order of submission, from 1.
    number: u64,
    /// The time at which it was submitted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The time at which a worker claimed it.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// The time at which it finished.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// The priority: `high`, `normal` or `low`.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// The name of the token that submitted the job, or the cron or subscription that created it.
    scheduled_by: Option<String>,
    /// A comment for people.
    comment: Option<String>,
    /// Its labels.
    #[schema(value_type = BTreeMap<String, String>)]
    labels: Labels,
    /// A ticket reference for people.
    ticket_ref: Option<String>,
    /// The cron that created it. `null` if it was not created by a cron.
    #[schema(value_type = Option<schemas::CronName>)]
    cron: Option<CronName>,
    /// The tick of the cron for which it was created.
    firing: Option<Firing>,
    /// The number of this attempt, from 1.
    attempt: u32,
    /// The number of consecutive attempts whose worker died before this one.
    crashes: u32,
    /// The number of earlier attempts that held back a rate limit and failed, without using up a
    /// retry.
    held_back: u32,
    /// The result of the action.
    result: Option<Value>,
    /// The error with which the job ended.
    exception: Option<Exception>,
    /// The latest progress that the action reported.
    progress: Option<Value>,
    /// The id of the job that retries this one.
    #[serde(rename = "followUpID")]
    #[schema(value_type = Option<String>, format = Uuid)]
    follow_up_id: Option<JobId>,
    /// The fencing token of its claim. Every later claim of any job has a larger one.
    #[schema(value_type = Option<u64>)]
    fencing_token: Option<FencingToken>,
    /// Until the job has finished, no other job with this key is created.
    unique_key: Option<String>,
    /// The time after each submission with its `uniqueKey` at which the job is due. Empty means
    /// none.
    #[schema(value_type = schemas::Duration)]
    debounce: GoDuration,
    /// The longest time after the first of these submissions. Empty means none.
    #[schema(value_type = schemas::Duration)]
    debounce_max: GoDuration,
    /// The number of debounced submissions that have replaced what was submitted first.
    replaced: u32,
    /// The key of the submissions that are one job, if they differ only in their parameters.
    batch_key: Option<String>,
    /// The largest number of these submissions. 0 means that the job has no `batchKey`.
    batch_size: u32,
    /// The time after the first of these submissions at which the job is due. Empty means none.
    #[schema(value_type = schemas::Duration)]
    batch_wait: GoDuration,
    /// The number of these submissions, whose parameters are the list `batch`.
    batched: usize,
    /// If the job has not started by this time, it ends as `error`.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The delay before its retries. `null` if none was given.
    backoff: Option<Backoff>,
    /// Whether the job is retried when its worker dies: `retry` or `fail`.
    #[schema(value_type = schemas::OnWorkerLost)]
    on_worker_lost: OnWorkerLost,
    /// Whether its worker stops it when its own lease expires, without waiting for a confirmation
    /// that the job is lost.
    strict_lease: bool,
    /// The locks that it needs, with the number of permits of each.
    #[schema(value_type = BTreeMap<String, u32>)]
    locks: Locks,
    /// The keys of the rate limits under which it starts, with the number of starts that it counts
    /// as.
    rates: BTreeMap<String, u32>,
    /// The permits that it holds while it runs, or held when it finished: its locks and the limits
    /// of its action and class.
    #[schema(value_type = BTreeMap<String, u32>)]
    holds: Locks,
    /// The ids of the jobs that it depends on.
    #[schema(value_type = Vec<String>)]
    depends_on: Vec<JobId>,
    /// The condition that its dependencies must meet: `done` or `finished`.
    #[schema(value_type = schemas::DependencyCondition)]
    when: DependencyCondition,
    /// The id of its parent job.
    #[schema(value_type = Option<String>, format = Uuid)]
    parent: Option<JobId>,
    /// The id of the first job that depends on it.
    #[schema(value_type = Option<String>, format = Uuid)]
    next: Option<JobId>,
    /// The fairness group of the job in its queue. `null` if none was given.
    fairness_key: Option<String>,
    /// The name of the token that cancelled it.
    cancel_by: Option<String>,
    /// The reason why it was cancelled.
    cancel_reason: Option<String>,
}

/// A job with its checkpoint and signal, the reason why it waits and the state of its children.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct JobDetails {
    #[serde(flatten)]
    job: Job,
    /// The state from which the next attempt continues, as the action saved it. `null` if there is
    /// none. The checkpoint belongs to the latest attempt.
    checkpoint: Option<Value>,
    /// The signal that continued the job. `null` if there was none. It belongs to the latest attempt.
    signal: Option<ReceivedSignal>,
    /// The state of its children. `null` if it has never had any.
    children: Option<Children>,
    /// The reason why it waits. `null` if it does not wait.
    waiting_for: Option<WaitingFor>,
}

/// A list of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Jobs {
    pub(in crate::v0) jobs: Vec<Job>,
}

impl From<job::Job> for Job {
    fn from(job: job::Job) -> Job {
        let cancelled = job.cancelled.unwrap_or_default();
        let non_empty = |text: String| Some(text).filter(|text| !text.is_empty());
        Job {
            id: job.id,
            retry_from_id: job.retry_from,
            worker_id: job.worker.map(String::from).unwrap_or_default(),
            status: job.status,
            scheduled_at: job.scheduled_at,
            last_updated: job.last_updated,
            batched: job.spec.batched(),
            parameters: shown_parameters(&job.spec.action, job.spec.parameters),
            action: job.spec.action,
            retries_left: job.retries_left,
            retries_total: job.spec.retries,
            capacity_map: job.spec.capacity_map,
            deadline: job.spec.deadline,
            stop_timeout: job.spec.stop_timeout,
            number: job.number,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            priority: job.spec.priority,
            scheduled_by: job.spec.scheduled_by,
            comment: job.spec.comment,
            labels: job.spec.labels,
            ticket_ref: job.spec.ticket_ref,
            cron: job.spec.cron.as_ref().map(|firing| firing.cron.clone()),
            firing: job.spec.cron.map(Firing::from),
            attempt: job.attempt,
            crashes: job.crashes,
            held_back: job.held_back,
            result: job.result,
            exception: job.exception.map(Exception::from),
            progress: job.progress,
            follow_up_id: job.follow_up,
            fencing_token: job.token,
            unique_key: job.spec.unique_key,
            debounce: job.spec.debounce,
            debounce_max: job.spec.debounce_max,
            replaced: job.replaced,
            batch_key: job.spec.batch_key,
            batch_size: job.spec.batch_size,
            batch_wait: job.spec.batch_wait,
            expires_at: job.spec.expires_at,
            backoff: job.spec.backoff.map(|job::Backoff { base, max }| Backoff { base, max }),
            on_worker_lost: job.spec.on_worker_lost,
            strict_lease: job.spec.strict_lease,
            rates: job.spec.locks.rates().map(|(key, count)| (key.to_owned(), count)).collect(),
            locks: job.spec.locks.without_rates(),
            holds: job.held_locks,
            depends_on: job.spec.depends_on,
            when: job.spec.when,
            parent: job.spec.parent,
            next: job.next,
            fairness_key: job.spec.fairness_key,
            cancel_by: non_empty(cancelled.by),
            cancel_reason: non_empty(cancelled.reason),
        }
    }
}

impl JobDetails {
    /// Creates the details of a job: its checkpoint and its signal, its number of unfinished children, if it has
    /// had any, and the reason why it waits.
    pub(in crate::v0) fn new(
        job: job::Job,
        (checkpoint, signal): (Option<Value>, Option<Signal>),
        open_children: Option<u64>,
        reason: Option<Reason>,
    ) -> JobDetails {
        let failed = job.failed_children;
        let children = open_children.map(|open| Children { open, failed });
        let waiting_for = reason.map(WaitingFor::from);
        let signal = signal.map(ReceivedSignal::from);
        JobDetails { job: job.into(), checkpoint, signal, children, waiting_for }
    }
}

impl FromIterator<job::Job> for Jobs {
    fn from_iter<I: IntoIterator<Item = job::Job>>(jobs: I) -> Jobs {
        Jobs { jobs: jobs.into_iter().map(Job::from).collect() }
    }
}

#[cfg(test)]
mod tests;
