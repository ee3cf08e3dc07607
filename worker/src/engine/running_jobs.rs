//! The jobs that run in one session: the heartbeat reports them and delivers stop requests to them.
//! Also until when the session's lease is certain, because a job with a strict lease must not run
//! without it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::job::{FencingToken, JobId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::context::stop::{StopReason, StopSignal};

/// Every running job of one session. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct RunningJobs(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    jobs: HashMap<JobId, RunningJob>,
    /// When the lease ends unless the next heartbeat renews it. `None` before the first one.
    lease_ends: Option<Instant>,
}

struct RunningJob {
    token: FencingToken,
    strict_lease: bool,
    action_returned: bool,
    stop: watch::Sender<Option<StopReason>>,
}

impl RunningJobs {
    /// Notes that the lease was renewed and ends at this moment.
    pub(super) fn lease_renewed(&self, ends: Instant) {
        self.lock().lease_ends = Some(ends);
    }

    /// Adds a job and returns its stop signal. A strict job is stopped from the start if the lease
    /// may have ended while the claim was answered: it would have been too late for
    /// [`RunningJobs::stop_strict`].
    pub(super) fn add(&self, id: JobId, token: FencingToken, strict_lease: bool) -> StopSignal {
        let mut state = self.lock();
        let certain = state.lease_ends.is_some_and(|ends| Instant::now() < ends);
        let (stop, signal) =
            watch::channel((strict_lease && !certain).then_some(StopReason::Immediate));
        let job = RunningJob { token, strict_lease, action_returned: false, stop };
        state.jobs.insert(id, job);
        signal
    }

    /// Removes a job.
    pub(super) fn remove(&self, id: JobId) {
        self.lock().jobs.remove(&id);
    }

    /// Notes that the job's action has returned; its outcome is still to be recorded.
    pub(super) fn action_returned(&self, id: JobId) {
        if let Some(job) = self.lock().jobs.get_mut(&id) {
            job.action_returned = true;
        }
    }

    /// Returns true when every action has returned.
    pub(super) fn all_actions_returned(&self) -> bool {
        self.lock().jobs.values().all(|job| job.action_returned)
    }

    /// Requests a job to stop.
    pub(super) fn stop(&self, id: JobId, reason: StopReason) {
        if let Some(job) = self.lock().jobs.get(&id) {
            job.request_stop(reason);
        }
    }

    /// Requests every job to stop.
    pub(super) fn stop_all(&self, reason: StopReason) {
        for job in self.lock().jobs.values() {
            job.request_stop(reason);
        }
    }

    /// Stops every job that must not outlive the lease, at once.
    pub(super) fn stop_strict(&self) {
        for job in self.lock().jobs.values().filter(|job| job.strict_lease) {
            job.request_stop(StopReason::Immediate);
        }
    }

    /// Returns the running jobs as a heartbeat reports them.
    pub(super) fn report(&self) -> Vec<(JobId, FencingToken)> {
        self.lock().jobs.iter().map(|(id, job)| (*id, job.token)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_strict_job_is_stopped_from_the_start_unless_the_lease_is_certain() {
        let running = RunningJobs::default();
        let start = |strict| *running.add(JobId::random(), FencingToken(1), strict).borrow();
        assert_eq!(start(true), Some(StopReason::Immediate), "no heartbeat was answered yet");
        running.lease_renewed(Instant::now() + Duration::from_secs(3600));
        assert_eq!((start(true), start(false)), (None, None));
        // The lease ends, and the heartbeat stops strict jobs before the claim is answered.
        running.lease_renewed(Instant::now());
        running.stop_strict();
        assert_eq!((start(true), start(false)), (Some(StopReason::Immediate), None));
        running.lease_renewed(Instant::now() + Duration::from_secs(3600));
        assert_eq!(start(true), None);
    }
}
