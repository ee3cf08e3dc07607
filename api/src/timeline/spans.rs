//! How long an attempt waited for each thing, and how long it ran. Pure.

use std::ops::Add;

use domain::job::{Job, Timestamp};

/// Where the time of a job went, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    /// What it waited for.
    pub(crate) wait: Wait,
    /// How long it ran.
    pub(crate) run_ms: u64,
}

/// How long a job waited for each thing, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// For its time, or for the back-off before a retry.
    pub(crate) due: u64,
    /// For the jobs that it depends on.
    pub(crate) dependency: u64,
    /// For locks, and for limits and pauses, which are locks.
    pub(crate) lock: u64,
    /// For rate limits.
    pub(crate) rate: u64,
    /// For a worker, and for other jobs of its fairness group.
    pub(crate) queue: u64,
    /// For its children, after its run.
    pub(crate) children: u64,
    /// For a signal, after its run.
    pub(crate) signal: u64,
}

impl Wait {
    /// Returns the sum.
    pub(crate) fn total_ms(self) -> u64 {
        self.due
            + self.dependency
            + self.lock
            + self.rate
            + self.queue
            + self.children
            + self.signal
    }
}

impl Add for Wait {
    type Output = Wait;

    fn add(self, other: Wait) -> Wait {
        Wait {
            due: self.due + other.due,
            dependency: self.dependency + other.dependency,
            lock: self.lock + other.lock,
            rate: self.rate + other.rate,
            queue: self.queue + other.queue,
            children: self.children + other.children,
            signal: self.signal + other.signal,
        }
    }
}

impl Spans {
    /// Returns the sum.
    pub(crate) fn plus(self, other: Spans) -> Spans {
        Spans { wait: self.wait + other.wait, run_ms: self.run_ms + other.run_ms }
    }

    /// Returns where the time of one attempt went until `now`. Each span begins where the one
    /// before it ended, so they add up to the whole time.
    pub(crate) fn of(job: &Job, now: Timestamp) -> Spans {
        let end = job.finished_at.unwrap_or(now);
        let started = job.started_at.unwrap_or(end);
        let mut clock = Clock { at: job.created_at, until: started };
        let dependency = match job.passed.unblocked_at {
            Some(at) => clock.to(at),
            None if is_blocked(job) => clock.to(started),
            None => 0,
        };
        let due = clock.to(job.scheduled_at);
        let before_lock = job.passed.parked_at.map_or(0, |at| clock.to(at));
        let parked = match (job.passed.parked_at, job.passed.granted_at) {
            (None, _) => 0,
            (Some(_), Some(at)) => clock.to(at),
            (Some(_), None) => clock.to(started),
        };
        let is_rate = job.parked_for.as_ref().is_some_and(|name| name.rate_key().is_some());
        let (lock, rate) = if is_rate { (0, parked) } else { (parked, 0) };
        let queue = before_lock + clock.to(started);
        let mut clock = Clock { at: started, until: end };
        let run_ms = clock.to(job.passed.ran_until.unwrap_or(end));
        let (children, signal) = match job.awaited_signal {
            None => (clock.to(end), 0),
            Some(_) => (0, clock.to(end)),
        };
        Spans { wait: Wait { due, dependency, lock, rate, queue, children, signal }, run_ms }
    }
}

/// Returns true if an attempt has waited for other jobs until now, or until it ended.
fn is_blocked(job: &Job) -> bool {
    let depends = !job.spec.depends_on.is_empty() && job.attempt == 1;
    let has_ended = job.status.is_final() && job.started_at.is_none();
    job.awaits_dependencies || depends && has_ended
}

/// Divides a span of time into parts, one after the other.
struct Clock {
    at: Timestamp,
    until: Timestamp,
}

impl Clock {
    /// Moves on to a time, unless it lies before the present one or after the end. Returns how long
    /// that took.
    fn to(&mut self, to: Timestamp) -> u64 {
        let to = to.min(self.until).max(self.at);
        let ms = to.ms() - self.at.ms();
        self.at = to;
        ms.max(0) as u64
    }
}
