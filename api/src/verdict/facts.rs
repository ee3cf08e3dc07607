//! What the rules look at.

use domain::job::{JobId, Timestamp};
use store::{FleetStatus, Worker, WorkerStatus};

use crate::load::loads;

/// What the rules look at, beside the waiting jobs.
#[derive(Debug)]
pub(super) struct Facts {
    /// The time of the store.
    pub(super) now: Timestamp,
    /// How long one read took.
    pub(super) store_ms: u64,
    /// The services, the memory, the rates.
    pub(super) status: FleetStatus,
    /// The live workers.
    pub(super) workers: Vec<Worker>,
    /// The workers whose lease ended in the last 10 minutes, the last one first.
    pub(super) dead: Vec<Worker>,
    /// The job that holds the lock for which the most jobs wait.
    pub(super) holder: Option<Holder>,
}

/// A job that holds a lock.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// The name of the lock.
    pub(super) lock: String,
    /// The job.
    pub(super) id: JobId,
    /// Its number.
    pub(super) number: u64,
    /// The time at which it started.
    pub(super) since: Option<Timestamp>,
}

impl Facts {
    /// Returns the number of live workers that start jobs.
    pub(super) fn active_workers(&self) -> u64 {
        let active = self.workers.iter().filter(|worker| worker.status != WorkerStatus::Draining);
        active.count() as u64
    }

    /// Returns the capacity type of which the largest part is in use, and that part in percent.
    pub(super) fn busiest(&self) -> Option<(String, u64)> {
        let part = |load: &crate::load::Load| load.used * 100 / load.total.max(1);
        let busiest = loads(&self.workers).into_iter().max_by_key(part)?;
        let percent = part(&busiest);
        Some((busiest.name, percent))
    }
}
