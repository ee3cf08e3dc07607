//! The jobs that run in one session: the heartbeat reports them and delivers stop requests to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::job::{FencingToken, JobId};
use tokio::sync::watch;

use crate::context::stop::{StopReason, StopSignal};

/// Every running job of one session. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct RunningJobs(Arc<Mutex<HashMap<JobId, RunningJob>>>);

struct RunningJob {
    token: FencingToken,
    strict_lease: bool,
    action_returned: bool,
    stop: watch::Sender<Option<StopReason>>,
}

impl RunningJobs {
    /// Adds a job and returns its stop signal.
    pub(super) fn add(&self, id: JobId, token: FencingToken, strict_lease: bool) -> StopSignal {
        let (stop, signal) = watch::channel(None);
        let job = RunningJob { token, strict_lease, action_returned: false, stop };
        self.lock().insert(id, job);
        signal
    }

    /// Removes a job.
    pub(super) fn remove(&self, id: JobId) {
        self.lock().remove(&id);
    }

    /// Notes that the job's action has returned; its outcome is still to be recorded.
    pub(super) fn action_returned(&self, id: JobId) {
        if let Some(job) = self.lock().get_mut(&id) {
            job.action_returned = true;
        }
    }

    /// Returns true when every action has returned.
    pub(super) fn all_actions_returned(&self) -> bool {
        self.lock().values().all(|job| job.action_returned)
    }

    /// Requests a job to stop.
    pub(super) fn stop(&self, id: JobId, reason: StopReason) {
        if let Some(job) = self.lock().get(&id) {
            job.request_stop(reason);
        }
    }

    /// Requests every job to stop.
    pub(super) fn stop_all(&self, reason: StopReason) {
        for job in self.lock().values() {
            job.request_stop(reason);
        }
    }

    /// Stops every job that must not outlive the lease, at once.
    pub(super) fn stop_strict(&self) {
        for job in self.lock().values().filter(|job| job.strict_lease) {
            job.request_stop(StopReason::Immediate);
        }
    }

    /// Returns the running jobs as a heartbeat reports them.
    pub(super) fn report(&self) -> Vec<(JobId, FencingToken)> {
        self.lock().iter().map(|(id, job)| (*id, job.token)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, RunningJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningJob {
    /// Keeps the first reason, unless the new one voids the claim and the old one does not.
    fn request_stop(&self, reason: StopReason) {
        self.stop.send_if_modified(|current| {
            let replaces =
                current.is_none_or(|current| !current.voids_claim() && reason.voids_claim());
            if replaces {
                *current = Some(reason);
            }
            replaces
        });
    }
}
