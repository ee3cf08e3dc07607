//! The time line of a job on its page: bars of where the time went, the attempts and the steps.

use domain::job::{JobId, Status, Timestamp};

use crate::expected_start::ExpectedStart;
use crate::timeline::{Attempt, Spans, Step, Timeline};
use crate::web::format::{Moment, count, span};

/// The width of a bar in its own units.
const WIDTH: u64 = 1000;
/// A part that took time is at least this wide.
const NARROWEST: u64 = 4;

/// The time line as the page shows it.
pub(super) struct TimelinePart {
    /// Where the time of all attempts went.
    pub(super) bar: Bar,
    /// The attempts, if there are several.
    pub(super) attempts: Vec<ShownAttempt>,
    /// Which attempts are not shown; empty if all are.
    pub(super) omitted: String,
    /// The steps.
    pub(super) steps: Vec<ShownStep>,
}

/// A bar whose parts are spans of time.
pub(super) struct Bar {
    /// Its parts, without those that took no time.
    pub(super) parts: Vec<Part>,
}

/// A part of a bar.
pub(super) struct Part {
    /// The name of its style.
    pub(super) style: &'static str,
    /// What the time was spent on.
    pub(super) name: &'static str,
    /// How long it took.
    pub(super) span: String,
    /// Where it begins.
    pub(super) x: u64,
    /// How wide it is.
    pub(super) width: u64,
}

/// An attempt as the page shows it.
pub(super) struct ShownAttempt {
    /// Its number, from 1.
    pub(super) attempt: u32,
    /// Its job.
    pub(super) job: JobId,
    /// The number of its job.
    pub(super) number: u64,
    /// Its status.
    pub(super) status: Status,
    /// True if it is the job of the page.
    pub(super) is_this: bool,
    /// Where its time went.
    pub(super) bar: Bar,
}

/// A step as the page shows it.
pub(super) struct ShownStep {
    /// The time.
    pub(super) moment: Moment,
    /// The time since the first step.
    pub(super) after: String,
    /// What happened.
    pub(super) what: &'static str,
    /// Who caused it.
    pub(super) who: String,
    /// Why.
    pub(super) why: String,
    /// The number of the attempt.
    pub(super) attempt: u32,
}

/// The probable start as the page shows it.
pub(super) struct ShownStart {
    /// The time; `None` if it is unknown.
    pub(super) moment: Option<Moment>,
    /// How it was estimated, or why it is unknown.
    pub(super) why: String,
}

impl TimelinePart {
    /// Returns the time line of a job.
    pub(super) fn new(timeline: Timeline, own: JobId, now: Timestamp) -> TimelinePart {
        let first = timeline.steps.first().map_or(now, |step| step.at);
        let attempt = |attempt: &Attempt| ShownAttempt {
            attempt: attempt.job.attempt,
            job: attempt.job.id,
            number: attempt.job.number,
            status: attempt.job.status,
            is_this: attempt.job.id == own,
            bar: Bar::new(attempt.spans),
        };
        let several = timeline.attempts.len() > 1;
        let attempts = timeline.attempts.iter().filter(|_| several).map(attempt).collect();
        TimelinePart {
            bar: Bar::new(timeline.spans),
            attempts,
            omitted: match timeline.more {
                0 => String::new(),
                more => format!("{} are not shown", count(more, "further attempt")),
            },
            steps: timeline.steps.into_iter().map(|step| shown(step, first, now)).collect(),
        }
    }
}

impl Bar {
    /// Returns the bar of some spans.
    fn new(spans: Spans) -> Bar {
        let wait = spans.wait;
        let all = [
            ("w-due", "waited for its time", wait.due),
            ("w-dependency", "waited for other jobs", wait.dependency),
            ("w-lock", "waited for locks", wait.lock),
            ("w-rate", "waited for rate limits", wait.rate),
            ("w-queue", "waited for a worker", wait.queue),
            ("w-run", "ran", spans.run_ms),
            ("w-children", "waited for its children", wait.children),
            ("w-signal", "waited for a signal", wait.signal),
        ];
        let whole = (wait.total_ms() + spans.run_ms).max(1);
        let mut x = 0;
        let some = all.into_iter().filter(|(_, _, ms)| *ms > 0);
        let parts = some.map(|(style, name, ms)| {
            let room = WIDTH.saturating_sub(x);
            let width = (ms.saturating_mul(WIDTH) / whole).max(NARROWEST).min(room);
            let part = Part { style, name, span: span(ms as i64), x, width };
            x += width;
            part
        });
        Bar { parts: parts.collect() }
    }

    /// Describes the bar for those who cannot see it.
    pub(super) fn words(&self) -> String {
        let words = self.parts.iter().map(|part| format!("{} {}", part.name, part.span));
        words.collect::<Vec<_>>().join(", ")
    }
}

impl ShownStart {
    /// Returns the probable start.
    pub(super) fn new(start: ExpectedStart, now: Timestamp) -> ShownStart {
        ShownStart { moment: start.at.map(|at| Moment::new(at, now)), why: start.why }
    }
}

fn shown(step: Step, first: Timestamp, now: Timestamp) -> ShownStep {
    ShownStep {
        moment: Moment::new(step.at, now),
        after: span(step.at.ms() - first.ms()),
        what: words(step.what),
        who: step.who,
        why: step.why,
        attempt: step.attempt,
    }
}

/// Returns a step in words.
fn words(what: &'static str) -> &'static str {
    match what {
        "submitted" => "submitted",
        "retried" => "retried",
        "unblocked" => "dependencies ended",
        "due" => "due",
        "parked" => "began to wait for a lock",
        "granted" => "was granted the lock",
        "started" => "started",
        "cancel_requested" => "was asked to stop",
        "awaits_children" => "began to wait for its children",
        "awaits_signal" => "began to wait for a signal",
        "worker_dead" => "worker died",
        "worker_shutdown" => "worker stopped",
        "worker_resurrection" => "worker came back",
        status => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Wait;

    #[test]
    fn the_parts_of_a_bar_fill_it_and_do_not_overlap() {
        let wait = Wait { due: 1, dependency: 0, lock: 6_000, queue: 3_000, ..Wait::default() };
        let bar = Bar::new(Spans { wait, run_ms: 1_000 });
        let parts: Vec<_> = bar.parts.iter().map(|part| (part.style, part.x, part.width)).collect();
        let expected =
            [("w-due", 0, 4), ("w-lock", 4, 599), ("w-queue", 603, 299), ("w-run", 902, 98)];
        assert_eq!(parts, expected);
        let words = "waited for its time 1 ms, waited for locks 6.0 s, waited for a worker 3.0 s, \
            ran 1.0 s";
        assert_eq!(bar.words(), words);
        assert!(Bar::new(Spans::default()).parts.is_empty());
    }
}
