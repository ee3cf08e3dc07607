//! When jobs may run again or at all: expiry, the loss of a worker, and the backoff
//! of retries.

use domain::job::{GoDuration, Job, OnWorkerLost, Status};

use super::violations::Violations;
use crate::observations::Observations;

const EXPIRED: &str = "an expired job does not run";
const NO_FOLLOW_UP: &str = "a job with onWorkerLost=fail has no follow-up";
const BACKOFF: &str = "a retry waits as long as its backoff";

/// The default of the longest backoff.
const DEFAULT_MAX_MS: u64 = 300_000;

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    for job in observations.jobs.values() {
        check_expiry(job, violations);
        let lost = [Status::WorkerDead, Status::WorkerShutdown, Status::WorkerResurrection];
        let must_fail = job.spec.on_worker_lost == OnWorkerLost::Fail;
        if must_fail && lost.contains(&job.status) && job.follow_up.is_some() {
            violations.add(NO_FOLLOW_UP, format!("{} is {} and has one", job.id, job.status));
        }
        check_backoff(observations, job, violations);
    }
}

fn check_expiry(job: &Job, violations: &mut Violations) {
    let first_start = job.started_at.filter(|_| job.attempt == 1);
    if let (Some(started), Some(expires)) = (first_start, job.spec.expires_at)
        && started >= expires
    {
        violations.add(EXPIRED, format!("{} started {started}, expired {expires}", job.id));
    }
    let exception = job.exception.as_ref().map(|exception| exception.kind.as_str());
    if exception == Some("Expired") && job.finished_at < job.spec.expires_at {
        violations.add(EXPIRED, format!("{} ended before it expired", job.id));
    }
}

/// The backoff doubles with each failure; an attempt that was lost with its worker is none. A retry
/// waits between a half and the whole of it.
fn check_backoff(observations: &Observations, job: &Job, violations: &mut Violations) {
    let follow_up = job.follow_up.and_then(|id| observations.jobs.get(&id));
    let (Some(backoff), Some(follow_up), Some(end)) =
        (&job.spec.backoff, follow_up, job.finished_at)
    else {
        return;
    };
    if job.status != Status::Error || follow_up.status == Status::Deleted {
        return;
    }
    let ms = |span: &GoDuration| span.duration().map(|time| time.as_millis() as u64);
    let base = ms(&backoff.base).unwrap_or(1_000);
    let max = ms(&backoff.max).unwrap_or(DEFAULT_MAX_MS);
    let earlier_failures = job.spec.retries.saturating_sub(job.retries_left);
    let longest = max.min(base << earlier_failures.min(16)) as i64;
    let waits = follow_up.scheduled_at.ms() - end.ms();
    if waits < longest / 2 - 1 || waits > longest + 1 {
        let details = format!("{} waits {waits} ms, the backoff is {longest} ms", follow_up.id);
        violations.add(BACKOFF, details);
    }
}
