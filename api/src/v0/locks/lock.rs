//! The JSON of locks: the object that is returned, and the body that sets the permits of one.

use domain::job::{ActionName, FencingToken, JobId, Priority, Status, Timestamp, WorkerId};
use domain::lock::LockName;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::commands;
use crate::error::Error;
use crate::v0::wire::schemas;

/// The number of permits of a lock. The limits of actions and classes are locks too, with names
/// like `action:scan` and `class:cpu=2`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "licences", "permits": 3}))]
pub(in crate::v0) struct SetLock {
    /// The name of the lock: 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
    #[schema(value_type = schemas::LockName, required, nullable = false)]
    name: Option<LockName>,
    /// The number of permits that can be held at the same time. `null` restores the default: 1, or
    /// no limit for an action or a class.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, required, minimum = 1, maximum = 1_000_000)]
    permits: Option<Option<i64>>,
}

/// A lock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "name": "licences", "permits": 3, "paused": false, "held": 2, "holders": [{
        "jobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "number": 7, "action": "scan",
        "workerID": "f97ebb52f0f6", "permits": 2, "since": "2026-11-20T16:54:34.719Z",
        "fencingToken": 12, "aborting": false,
    }], "waiting": 1, "waiters": [{
        "jobID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b", "number": 8, "action": "scan",
        "priority": "normal", "permits": 2,
    }],
}))]
pub(in crate::v0) struct Lock {
    /// The name of the lock.
    #[schema(value_type = schemas::LockName)]
    name: LockName,
    /// The number of permits that can be held at the same time. `null` means no limit.
    permits: Option<u32>,
    /// Whether the lock is paused. A paused lock is not granted to any job.
    paused: bool,
    /// The number of permits that are held.
    held: u32,
    /// The jobs that hold permits, in the order in which they started.
    holders: Vec<Holder>,
    /// The number of jobs in the wait queue.
    waiting: u64,
    /// The first ten jobs in the wait queue.
    waiters: Vec<Waiter>,
}

/// A job that holds a lock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Holder {
    /// The id of the job.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job_id: JobId,
    /// The number of the job.
    number: u64,
    /// The action of the job.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// The id of the worker that runs the job.
    #[serde(rename = "workerID")]
    #[schema(value_type = Option<schemas::WorkerId>)]
    worker_id: Option<WorkerId>,
    /// The number of permits that it holds.
    permits: u32,
    /// The time since which it holds them.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// The fencing token of the job. A later holder has a larger one.
    #[schema(value_type = Option<u64>)]
    fencing_token: Option<FencingToken>,
    /// Whether the job is being stopped.
    aborting: bool,
}

/// A job in the wait queue of a lock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Waiter {
    /// The id of the job.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job_id: JobId,
    /// The number of the job.
    number: u64,
    /// The action of the job.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// The priority of the job.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// The number of permits that it needs.
    permits: u32,
}

/// A list of locks, ordered by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct LockList {
    pub(in crate::v0) locks: Vec<Lock>,
}

impl SetLock {
    /// Returns the name of the lock and its number of permits; `None` restores the default.
    pub(in crate::v0) fn validate(self) -> Result<(LockName, Option<u32>), Error> {
        let required = |field: &str| Error::invalid(field, "it is required");
        let name = self.name.ok_or_else(|| required("name"))?;
        let permits = self.permits.ok_or_else(|| required("permits"))?;
        if name.rate_key().is_some() {
            return Err(Error::invalid("name", "POST /limits sets a rate limit"));
        }
        Ok((name, commands::lock::permits(permits)?))
    }
}

/// Deserializes a field that is present, so that `null` differs from an absent field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl From<store::Lock> for Lock {
    fn from(lock: store::Lock) -> Lock {
        Lock {
            name: lock.name,
            permits: lock.permits,
            paused: lock.paused,
            held: lock.held,
            holders: lock.holders.into_iter().map(Holder::from).collect(),
            waiting: lock.waiting,
            waiters: lock.waiters.into_iter().map(Waiter::from).collect(),
        }
    }
}

impl From<store::Holder> for Holder {
    fn from(store::Holder { job, permits }: store::Holder) -> Holder {
        Holder {
            job_id: job.id,
            number: job.number,
            action: job.spec.action,
            worker_id: job.worker,
            permits,
            since: job.started_at,
            fencing_token: job.token,
            aborting: job.status == Status::CancelRequest,
        }
    }
}

impl From<store::Waiter> for Waiter {
    fn from(store::Waiter { job, permits }: store::Waiter) -> Waiter {
        let (action, priority) = (job.spec.action, job.spec.priority);
        Waiter { job_id: job.id, number: job.number, action, priority, permits }
    }
}
