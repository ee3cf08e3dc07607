//! What clients are shown of a job, field by field as the contract names them.

mod parts;

use domain::capacity::CapacityMap;
use domain::cron::CronName;
use domain::job::{
    self, ActionName, DependencyCondition, FencingToken, GoDuration, JobId, OnWorkerLost, Priority,
    Status, Timestamp,
};
use domain::lock::Locks;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

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
    "comment": null, "ticketRef": null, "cron": null, "firing": null, "attempt": 1, "crashes": 0,
    "locks": {"devices": 1}, "holds": {"devices": 1}, "dependsOn": [], "when": "done",
    "parent": null, "next": null, "fairnessKey": null, "result": null, "exception": null, "progress": null, "followUpID": null, "fencingToken": 12,
    "uniqueKey": null, "expiresAt": null, "backoff": {"base": "2s", "max": "1m"},
    "onWorkerLost": "retry", "strictLease": false, "cancelBy": null, "cancelReason": null,
}))]
pub(in crate::v0) struct Job {
    /// Its name everywhere.
    #[schema(value_type = String, format = Uuid)]
    id: JobId,
    /// The job that it retries; its own id when it is no retry.
    #[serde(rename = "retryFromID")]
    #[schema(value_type = String, format = Uuid)]
    retry_from_id: JobId,
    /// The worker that claimed it; empty when none has.
    #[serde(rename = "workerID")]
    worker_id: String,
    /// Where it is in its life.
    #[schema(value_type = schemas::Status)]
    status: Status,
    /// When it is, or was, due.
    #[schema(value_type = String, format = DateTime)]
    scheduled_at: Timestamp,
    /// When its status last changed.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
    /// What to do.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// How often it is tried again if it fails.
    retries_left: u32,
    /// How often in all, from the first one on.
    retries_total: u32,
    /// The units that it was asked to need; `null` when none were given.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// What to do it with; `null` when nothing was given.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// From its start to SIGTERM; empty is none.
    #[schema(value_type = schemas::Duration)]
    deadline: GoDuration,
    /// From SIGTERM to SIGKILL; empty is the worker's default.
    #[schema(value_type = schemas::Duration)]
    stop_timeout: GoDuration,
    /// Its place in the order of submission, from 1.
    number: u64,
    /// When it was submitted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was claimed.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// `high`, `normal` or `low`.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// Who asked.
    scheduled_by: Option<String>,
    /// A remark.
    comment: Option<String>,
    /// A ticket.
    ticket_ref: Option<String>,
    /// The cron that made it; `null` when none did.
    #[schema(value_type = Option<schemas::CronName>)]
    cron: Option<CronName>,
    /// Which tick of the cron it is for.
    firing: Option<Firing>,
    /// Which run this is, from 1.
    attempt: u32,
    /// Deaths of workers in a row that led to it.
    crashes: u32,
    /// What the action answered.
    result: Option<Value>,
    /// Why it ended in an error.
    exception: Option<Exception>,
    /// How far it is, as its action last said.
    progress: Option<Value>,
    /// The job that carries on after this one ended badly.
    #[serde(rename = "followUpID")]
    #[schema(value_type = Option<String>, format = Uuid)]
    follow_up_id: Option<JobId>,
    /// The number of its claim; a later claim of any job has a larger one.
    #[schema(value_type = Option<u64>)]
    fencing_token: Option<FencingToken>,
    /// While it is not over, no other job with this key is made.
    unique_key: Option<String>,
    /// It ends as `error` when it has not been started by then.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How long its retries wait, if that was said.
    backoff: Option<Backoff>,
    /// `retry`: another job carries on when its worker dies; `fail`: none does.
    #[schema(value_type = schemas::OnWorkerLost)]
    on_worker_lost: OnWorkerLost,
    /// Its worker stops it at the end of its lease, without waiting to be told that it is lost.
    strict_lease: bool,
    /// The locks that it needs, and how many permits of each.
    #[schema(value_type = BTreeMap<String, u32>)]
    locks: Locks,
    /// What it holds while it runs, and held when it ended: its locks, and limits of its action and
    /// class.
    #[schema(value_type = BTreeMap<String, u32>)]
    holds: Locks,
    /// The jobs that have to be over before it runs.
    #[schema(value_type = Vec<String>)]
    depends_on: Vec<JobId>,
    /// How they have to be over: `done`, or `finished`, whatever came of them.
    #[schema(value_type = schemas::When)]
    when: DependencyCondition,
    /// The job whose child it is.
    #[schema(value_type = Option<String>, format = Uuid)]
    parent: Option<JobId>,
    /// The first job that depends on it.
    #[schema(value_type = Option<String>, format = Uuid)]
    next: Option<JobId>,
    /// Whose share of its queue it is in, if that was said.
    fairness_key: Option<String>,
    /// Who asked for its end.
    cancel_by: Option<String>,
    /// Why.
    cancel_reason: Option<String>,
}

/// A job, why it waits, and how its children are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct JobInDetail {
    #[serde(flatten)]
    job: Job,
    /// Its children; `null` when it has never had any.
    children: Option<Children>,
    /// Why it waits; `null` when it does not.
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
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Job {
            id: job.id,
            retry_from_id: job.retry_from,
            worker_id: job.worker.map(String::from).unwrap_or_default(),
            status: job.status,
            scheduled_at: job.scheduled_at,
            last_updated: job.last_updated,
            action: job.spec.action,
            retries_left: job.retries_left,
            retries_total: job.spec.retries,
            capacity_map: job.spec.capacity_map,
            parameters: job.spec.parameters,
            deadline: job.spec.deadline,
            stop_timeout: job.spec.stop_timeout,
            number: job.number,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            priority: job.spec.priority,
            scheduled_by: job.spec.scheduled_by,
            comment: job.spec.comment,
            ticket_ref: job.spec.ticket_ref,
            cron: job.spec.cron.as_ref().map(|firing| firing.cron.clone()),
            firing: job.spec.cron.map(Firing::from),
            attempt: job.attempt,
            crashes: job.crashes,
            result: job.result,
            exception: job.exception.map(Exception::from),
            progress: job.progress,
            follow_up_id: job.follow_up,
            fencing_token: job.token,
            unique_key: job.spec.unique_key,
            expires_at: job.spec.expires_at,
            backoff: job.spec.backoff.map(|job::Backoff { base, max }| Backoff { base, max }),
            on_worker_lost: job.spec.on_worker_lost,
            strict_lease: job.spec.strict_lease,
            locks: job.spec.locks,
            holds: job.held_locks,
            depends_on: job.spec.depends_on,
            when: job.spec.when,
            parent: job.spec.parent,
            next: job.next,
            fairness_key: job.spec.fairness_key,
            cancel_by: said(cancelled.by),
            cancel_reason: said(cancelled.reason),
        }
    }
}

impl JobInDetail {
    /// The job, with how many of its children are not over, if it has had any, and why it waits.
    pub(in crate::v0) fn new(
        job: job::Job,
        open_children: Option<u64>,
        reason: Option<Reason>,
    ) -> JobInDetail {
        let failed = job.failed_children;
        let children = open_children.map(|open| Children { open, failed });
        JobInDetail { job: job.into(), children, waiting_for: reason.map(WaitingFor::from) }
    }
}

impl FromIterator<job::Job> for Jobs {
    fn from_iter<I: IntoIterator<Item = job::Job>>(jobs: I) -> Jobs {
        Jobs { jobs: jobs.into_iter().map(Job::from).collect() }
    }
}

#[cfg(test)]
mod tests;
