//! Locks on the wire: what clients are shown of one, and what they send to set its permits.

use domain::job::{ActionName, FencingToken, JobId, Priority, Status, Timestamp, WorkerId};
use domain::lock::{LockName, MAX_PERMITS};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::v0::wire::schemas;

/// How many permits a lock is to have. Limits of Capstan's own are locks too: `action:scan` of an
/// action, `class:cpu=2` of a class.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "licences", "permits": 3}))]
pub(in crate::v0) struct SetLock {
    /// Its name, 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
    #[schema(value_type = schemas::LockName, required, nullable = false)]
    name: Option<LockName>,
    /// So many may be held at once; `null` for what it has when nothing is said: 1, and no limit
    /// for an action or a class.
    #[serde(default, deserialize_with = "given")]
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
    }], "waiting": 1, "line": [{
        "jobID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b", "number": 8, "action": "scan",
        "priority": "normal", "permits": 2,
    }],
}))]
pub(in crate::v0) struct Lock {
    /// Its name.
    #[schema(value_type = schemas::LockName)]
    name: LockName,
    /// How many may be held at once; `null` is no limit.
    permits: Option<u32>,
    /// Nobody gets it until it is resumed.
    paused: bool,
    /// How many are held.
    held: u32,
    /// Who holds them, in the order in which they began.
    holders: Vec<Holder>,
    /// How many jobs stand in line.
    waiting: u64,
    /// The first ten of them.
    line: Vec<Waiter>,
}

/// A job that holds a lock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Holder {
    /// The job.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job_id: JobId,
    /// Its number.
    number: u64,
    /// What it does.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// Where.
    #[serde(rename = "workerID")]
    #[schema(value_type = Option<schemas::WorkerId>)]
    worker_id: Option<WorkerId>,
    /// How many permits it holds.
    permits: u32,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// What it shows to what the lock protects: a later holder has a larger one.
    #[schema(value_type = Option<u64>)]
    fencing_token: Option<FencingToken>,
    /// It has been asked to stop.
    aborting: bool,
}

/// A job that stands in line for a lock.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Waiter {
    /// The job.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job_id: JobId,
    /// Its number.
    number: u64,
    /// What it does.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// How urgent it is.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// How many permits it needs.
    permits: u32,
}

/// A list of locks, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Locks {
    pub(in crate::v0) locks: Vec<Lock>,
}

impl SetLock {
    /// The lock, and how many permits it is to have.
    pub(in crate::v0) fn validate(self) -> Result<(LockName, Option<u32>), Error> {
        let required = |field: &str| Error::invalid(field, "it is required");
        let name = self.name.ok_or_else(|| required("name"))?;
        let Some(permits) = self.permits.ok_or_else(|| required("permits"))? else {
            return Ok((name, None));
        };
        let good = u32::try_from(permits).ok().filter(|all| (1..=MAX_PERMITS).contains(all));
        let why = format!("it must be a whole number from 1 to {MAX_PERMITS}, or null");
        Ok((name, Some(good.ok_or_else(|| Error::invalid("permits", why))?)))
    }
}

/// Tells what was given as `null` from what was not given.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
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
            line: lock.waiters.into_iter().map(Waiter::from).collect(),
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
