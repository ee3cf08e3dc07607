//! The steps of an attempt: what happened when, who caused it and why. Pure.

use domain::job::{Job, JobId, Status, Timestamp};
use domain::lock::LockName;

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The time.
    pub(crate) at: Timestamp,
    /// One of [`WHAT`], or the final status.
    pub(crate) what: &'static str,
    /// A user, a worker or a cron; empty if unknown.
    pub(crate) who: String,
    /// Why, in words; empty if there is nothing to say.
    pub(crate) why: String,
    /// The attempt.
    pub(crate) job: JobId,
    /// The number of the attempt, from 1.
    pub(crate) attempt: u32,
}

/// What can happen, beside a final status.
pub(crate) const WHAT: [&str; 11] = [
    "submitted",
    "retried",
    "unblocked",
    "due",
    "parked",
    "granted",
    "started",
    "cancel_requested",
    "awaits_children",
    "awaits_signal",
    "continued",
];

/// Returns the steps of an attempt until `now`. `before` is the attempt that it follows.
pub(super) fn steps(job: &Job, before: Option<&Job>, now: Timestamp) -> Vec<Step> {
    let step = |at: Option<Timestamp>, what, (who, why): (String, String)| {
        at.map(|at| Step { at, what, who, why, job: job.id, attempt: job.attempt })
    };
    let nothing = || (String::new(), String::new());
    let why = |why: String| (String::new(), why);
    let passed = &job.passed;
    let was_due = job.scheduled_at > job.created_at && job.scheduled_at <= now;
    let is_due = was_due && job.finished_at.is_none_or(|end| job.scheduled_at <= end);
    let all = [
        match before {
            None => step(Some(job.created_at), "submitted", submitted(job)),
            Some(before) => match continued(before) {
                Some(by) => step(Some(job.created_at), "continued", by),
                None => step(Some(job.created_at), "retried", why(retried(before))),
            },
        },
        step(passed.unblocked_at, "unblocked", why(unblocked(job))),
        step(is_due.then_some(job.scheduled_at), "due", nothing()),
        step(passed.parked_at, "parked", why(locks(job))),
        step(passed.granted_at, "granted", nothing()),
        step(job.started_at, "started", (worker(job), token(job))),
        step(passed.cancel_at, "cancel_requested", cancelled(job)),
        match &job.awaited_signal {
            None => step(passed.ran_until, "awaits_children", nothing()),
            Some(signal) => step(passed.ran_until, "awaits_signal", why(signal.name.to_string())),
        },
        step(job.finished_at, job.status.as_str(), ended(job)),
    ];
    all.into_iter().flatten().collect()
}

fn submitted(job: &Job) -> (String, String) {
    let cron = job.spec.cron.as_ref().map(|firing| format!("cron {}", firing.cron));
    let parent = job.spec.parent.map(|parent| format!("child of job {parent}"));
    let who = job.spec.scheduled_by.clone().unwrap_or_default();
    (who, cron.or(parent).unwrap_or_default())
}

/// Returns who continued a job that waited for a signal, and how; `None` if it was not continued.
fn continued(before: &Job) -> Option<(String, String)> {
    let signal = before.awaited_signal.as_ref().filter(|_| before.status == Status::Done)?;
    Some(match &signal.sent_by {
        Some(by) => (by.clone(), format!("sent the signal {}", signal.name)),
        None => (String::new(), format!("the signal {} was not sent in time", signal.name)),
    })
}

fn retried(before: &Job) -> String {
    match before.status {
        Status::Error => format!("attempt {} failed", before.attempt),
        Status::WorkerDead | Status::WorkerResurrection => {
            format!("the worker of attempt {} was lost", before.attempt)
        }
        Status::WorkerShutdown => format!("the worker of attempt {} shut down", before.attempt),
        Status::Waiting
        | Status::Running
        | Status::CancelRequest
        | Status::Done
        | Status::Cancel
        | Status::Deleted => format!("attempt {} was retried by hand", before.attempt),
    }
}

fn unblocked(job: &Job) -> String {
    match job.spec.depends_on.len() {
        1 => "the job that it depends on has ended".to_owned(),
        many => format!("all {many} jobs that it depends on have ended"),
    }
}

fn locks(job: &Job) -> String {
    if let Some(key) = job.parked_for.as_ref().and_then(LockName::rate_key) {
        return format!("for the rate limit {key}");
    }
    let names: Vec<String> =
        job.spec.locks.iter().take(5).map(|(name, _)| name.to_string()).collect();
    match names.is_empty() {
        true => "for a limit or a pause".to_owned(),
        false => format!("for {}", names.join(", ")),
    }
}

fn worker(job: &Job) -> String {
    job.worker.as_ref().map(|id| format!("worker {}", id.as_str())).unwrap_or_default()
}

fn token(job: &Job) -> String {
    job.token.map(|token| format!("fencing token {}", token.0)).unwrap_or_default()
}

fn cancelled(job: &Job) -> (String, String) {
    let cancelled = job.cancelled.clone().unwrap_or_default();
    (cancelled.by, cancelled.reason)
}

fn ended(job: &Job) -> (String, String) {
    let failed = job.exception.as_ref().map(|one| format!("{}: {}", one.kind, one.message));
    match (failed, job.status) {
        (Some(why), _) => (String::new(), why),
        (None, Status::Cancel) => cancelled(job),
        (None, _) => (String::new(), String::new()),
    }
}
