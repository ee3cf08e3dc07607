//! The fields of a job as names and values. Those that are not set are left out.

use domain::job::{Job, OnWorkerLost, Timestamp};

use crate::web::format::Moment;
use crate::web::jobs::run_time;

/// A field.
pub(super) struct Fact {
    /// Its name.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: Value,
}

/// The value of a field.
pub(super) enum Value {
    /// Text.
    Text(String),
    /// Text that a program would read, such as an id.
    Code(String),
    /// A time.
    Time(Moment),
    /// Text that leads to another page.
    Link(String, String),
}

/// Returns the fields of a job.
pub(super) fn facts(job: &Job, now: Timestamp) -> Vec<Fact> {
    let mut facts = times(job, now);
    facts.extend(run(job));
    facts.extend(origin(job));
    facts.extend(rules(job));
    facts
}

fn times(job: &Job, now: Timestamp) -> Vec<Fact> {
    let time = |name, at: Option<Timestamp>| {
        at.map(|at| Fact { name, value: Value::Time(Moment::new(at, now)) })
    };
    let ran = Some(run_time(job, now)).filter(|ran| !ran.is_empty());
    let all = [
        time("Submitted", Some(job.created_at)),
        time("Due", Some(job.scheduled_at)),
        time("Started", job.started_at),
        time("Finished", job.finished_at),
        ran.map(|ran| text(if job.status.is_running() { "Runs for" } else { "Ran for" }, ran)),
        time("Expires", job.spec.expires_at),
    ];
    all.into_iter().flatten().collect()
}

fn run(job: &Job) -> Vec<Fact> {
    let total = job.spec.retries;
    let attempt = match job.spec.retries {
        0 => job.attempt.to_string(),
        _ => format!("{}, with {} of {total} retries left", job.attempt, job.retries_left),
    };
    let worker = job.worker.as_ref().map(|id| Fact {
        name: "Worker",
        value: Value::Link(id.to_string(), format!("/workers/{id}")),
    });
    let crashes = (job.crashes > 0).then(|| text("Lost workers", job.crashes.to_string()));
    let held_back = (job.held_back > 0).then(|| text("Held back", job.held_back.to_string()));
    let token = job.token.map(|token| code("Fencing token", token.0.to_string()));
    let mut facts = vec![text("Attempt", attempt)];
    facts.extend([crashes, held_back, worker, token].into_iter().flatten());
    facts
}

fn origin(job: &Job) -> Vec<Fact> {
    let spec = &job.spec;
    let some = |name, value: &Option<String>| value.clone().map(|value| text(name, value));
    let cancelled = job.cancelled.as_ref().map(|cancelled| {
        let reason = &cancelled.reason;
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        text("Cancelled by", format!("{}{why}", cancelled.by))
    });
    let cron = spec.cron.as_ref().map(|firing| Fact {
        name: "Cron",
        value: Value::Link(firing.to_string(), format!("/crons/{}", firing.cron)),
    });
    let all = [
        some("Submitted by", &spec.scheduled_by),
        cron,
        some("Comment", &spec.comment),
        some("Ticket", &spec.ticket_ref),
        cancelled,
    ];
    all.into_iter().flatten().collect()
}

fn rules(job: &Job) -> Vec<Fact> {
    let spec = &job.spec;
    let duration = |name, value: &domain::job::GoDuration| {
        (!value.is_none()).then(|| text(name, value.to_string()))
    };
    let backoff = spec.backoff.as_ref().map(|backoff| {
        let or =
            |value: String, default: &str| if value.is_empty() { default.into() } else { value };
        let (base, max) = (or(backoff.base.to_string(), "1s"), or(backoff.max.to_string(), "5m"));
        text("Back-off", format!("{base}, doubled up to {max}"))
    });
    let lost = (spec.on_worker_lost == OnWorkerLost::Fail)
        .then(|| text("If its worker dies", "it fails".to_owned()));
    let all = [
        Some(text("Priority", spec.priority.to_string())),
        Some(code("Class", job.class.to_string())),
        duration("Deadline", &spec.deadline),
        duration("Stop timeout", &spec.stop_timeout),
        backoff,
        lost,
        spec.strict_lease.then(|| text("Lease", "strict".to_owned())),
        spec.unique_key.clone().map(|key| code("Unique key", key)),
        duration("Debounce", &spec.debounce),
        duration("Debounce, at most", &spec.debounce_max),
        (job.replaced > 0).then(|| text("Replaced", job.replaced.to_string())),
        spec.batch_key.clone().map(|key| code("Batch key", key)),
        spec.batch_key.as_ref().map(|_| text("Batched", batched(job))),
        duration("Batch, at most after", &spec.batch_wait),
        spec.fairness_key.clone().map(|key| code("Fairness key", key)),
    ];
    all.into_iter().flatten().collect()
}

/// How many submissions a batch has, of how many it may have.
fn batched(job: &Job) -> String {
    format!("{} of {}", job.spec.batched(), job.spec.batch_size)
}

fn text(name: &'static str, value: String) -> Fact {
    Fact { name, value: Value::Text(value) }
}

fn code(name: &'static str, value: String) -> Fact {
    Fact { name, value: Value::Code(value) }
}
