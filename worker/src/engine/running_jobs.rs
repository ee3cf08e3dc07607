//! The jobs that one session has claimed: the heartbeat reports them and delivers stop requests to
//! them. Also until when the session's lease is certain, because a job with a strict lease must not
//! run without it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::job::{FencingToken, JobId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::context::stop::{StopReason, StopSignal};

/// Every claimed job of one session whose end is not recorded. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct RunningJobs(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    jobs: HashMap<JobId, RunningJob>,
    /// The greatest token of their claims. Claims are made one after the other, so every job that
    /// was claimed up to this token is or was among `jobs`.
    noted: Option<FencingToken>,
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
    /// Adds the jobs of one claim, as soon as it is answered; with each, whether its lease is strict.
    pub(super) fn claimed(&self, runs: impl IntoIterator<Item = (JobId, FencingToken, bool)>) {
        let mut state = self.lock();
        for (id, token, strict_lease) in runs {
            let stop = watch::Sender::new(None);
            let job = RunningJob { token, strict_lease, action_returned: false, stop };
            state.jobs.insert(id, job);
            state.noted = state.noted.max(Some(token));
        }
    }

    /// Returns true if a claim with this token was answered before. If the store answers with it
    /// again, it has lost the end of that run.
    pub(super) fn was_claimed(&self, token: FencingToken) -> bool {
        self.lock().noted.is_some_and(|noted| token <= noted)
    }

    /// Returns the stop signal of a job that is about to start. A strict job is stopped from the
    /// start if the lease may have ended while the claim was answered: it would have been too late
    /// for [`RunningJobs::stop_strict`].
    pub(super) fn stop_signal(&self, id: JobId) -> StopSignal {
        let state = self.lock();
        let Some(job) = state.jobs.get(&id) else {
            return watch::channel(Some(StopReason::ClaimLost)).1;
        };
        if job.strict_lease && state.lease_ends.is_none_or(|ends| Instant::now() >= ends) {
            job.request_stop(StopReason::Immediate);
        }
        job.stop.subscribe()
    }

    /// Notes that the lease was renewed and ends at this moment.
    pub(super) fn lease_renewed(&self, ends: Instant) {
        self.lock().lease_ends = Some(ends);
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

    /// Returns the jobs as a heartbeat reports them, and up to which token they are complete.
    pub(super) fn report(&self) -> (Vec<(JobId, FencingToken)>, FencingToken) {
        let state = self.lock();
        let jobs = state.jobs.iter().map(|(id, job)| (*id, job.token)).collect();
        (jobs, state.noted.unwrap_or(FencingToken(0)))
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
    fn a_report_has_every_job_up_to_its_token_before_the_job_starts_and_until_it_is_removed() {
        let running = RunningJobs::default();
        assert_eq!(running.report(), (vec![], FencingToken(0)));
        let (first, second) = (JobId::random(), JobId::random());
        running.claimed([(first, FencingToken(9), false), (second, FencingToken(7), false)]);
        running.stop(second, StopReason::Cancel);
        assert_eq!(*running.stop_signal(second).borrow(), Some(StopReason::Cancel));
        running.remove(first);
        assert_eq!(running.report(), (vec![(second, FencingToken(7))], FencingToken(9)));
        running.remove(second);
        assert_eq!(running.report(), (vec![], FencingToken(9)), "a later report is as complete");
        assert!(running.was_claimed(FencingToken(8)) && !running.was_claimed(FencingToken(10)));
        assert_eq!(*running.stop_signal(first).borrow(), Some(StopReason::ClaimLost));
    }

    #[test]
    fn a_strict_job_is_stopped_from_the_start_unless_the_lease_is_certain() {
        let running = RunningJobs::default();
        let start = |strict| {
            let id = JobId::random();
            running.claimed([(id, FencingToken(1), strict)]);
            *running.stop_signal(id).borrow()
        };
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
