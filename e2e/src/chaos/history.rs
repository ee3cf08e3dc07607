//! The history of an experiment: faults, lost workers and violations, each with its time. It is
//! written to a log, and tells the checks which delays a fault explains.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The current time in microseconds since 1970, on the same clock as that of the job commands.
pub(crate) fn now_us() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// The kind of fault after which times of Redis cannot be compared with others.
pub(crate) const CLOCK_SET: &str = "clock of Redis set";

/// How long after its end a fault may still have effects.
const RECOVERY_US: i64 = 5_000_000;

/// The loss of a worker: its process died, or was frozen for longer than its lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) at_us: i64,
    pub(crate) pid: u32,
    pub(crate) cause: LossCause,
}

/// Why a worker was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossCause {
    /// Its process was killed, and its commands with it.
    Killed,
    /// Its process was frozen while its commands went on.
    Frozen,
}

/// The history of one experiment, shared by everything that runs concurrently.
pub(crate) struct History {
    began_us: i64,
    inner: Mutex<Inner>,
}

struct Inner {
    log: File,
    losses: Vec<Loss>,
    roll_backs: Vec<i64>,
    faults: Vec<&'static str>,
    disruptions: Vec<Interval>,
    disorders: Vec<Disorder>,
    shared_disruptions: Vec<Interval>,
    violations: Vec<Violation>,
}

#[derive(Debug, Clone, Copy)]
struct Interval {
    from_us: i64,
    until_us: i64,
}

impl Interval {
    fn until_now(from_us: i64) -> Interval {
        Interval { from_us, until_us: now_us() }
    }

    fn overlaps(&self, from_us: i64, until_us: i64) -> bool {
        self.from_us < until_us && from_us < self.until_us
    }
}

/// When a fault or a pause may change the order in which jobs start.
#[derive(Debug, Clone, Copy)]
struct Disorder {
    interval: Interval,
    /// The only worker that it affects, if there is only one.
    worker: Option<&'static str>,
}

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) details: String,
}

impl History {
    /// Begins a history whose log is a new file.
    pub(crate) fn begin(log: &Path) -> anyhow::Result<History> {
        let inner = Inner {
            log: File::create(log)?,
            losses: Vec::new(),
            roll_backs: Vec::new(),
            faults: Vec::new(),
            disruptions: Vec::new(),
            disorders: Vec::new(),
            shared_disruptions: Vec::new(),
            violations: Vec::new(),
        };
        Ok(History { began_us: now_us(), inner: Mutex::new(inner) })
    }

    /// Writes a line to the log, and to the terminal if there is one.
    pub(crate) fn log(&self, text: impl std::fmt::Display) {
        let seconds = (now_us() - self.began_us) as f64 / 1e6;
        let line = format!("{seconds:8.3}  {text}");
        let mut inner = self.lock();
        let _ = writeln!(inner.log, "{line}");
        if std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Counts a fault of this kind.
    pub(crate) fn add_fault(&self, kind: &'static str) {
        self.lock().faults.push(kind);
    }

    /// Records that a worker is lost now.
    pub(crate) fn add_loss(&self, pid: u32, cause: LossCause) {
        self.add_loss_at(now_us(), pid, cause);
    }

    /// Records that a worker was lost at some time.
    pub(crate) fn add_loss_at(&self, at_us: i64, pid: u32, cause: LossCause) {
        self.lock().losses.push(Loss { at_us, pid, cause });
    }

    /// Records that Redis loses its latest writes now.
    pub(crate) fn add_roll_back(&self) {
        self.add_roll_back_at(now_us());
    }

    /// Records that Redis lost its latest writes at some time.
    pub(crate) fn add_roll_back_at(&self, at_us: i64) {
        self.lock().roll_backs.push(at_us);
    }

    /// Records a violation.
    pub(crate) fn add_violation(&self, invariant: &'static str, details: impl std::fmt::Display) {
        let details = details.to_string();
        self.log(format!("VIOLATED {invariant}: {details}"));
        self.lock().violations.push(Violation { invariant, details });
    }

    /// Records that a fault disrupted the fleet from `from_us` until now.
    pub(crate) fn add_disruption(&self, from_us: i64) {
        self.lock().disruptions.push(Interval::until_now(from_us));
    }

    /// Records that a fault affected more than one worker from `from_us` until now.
    pub(crate) fn add_shared_disruption(&self, from_us: i64) {
        self.lock().shared_disruptions.push(Interval::until_now(from_us));
    }

    /// Records that jobs may start out of order from `from_us` until `lasts_for` from now: on this
    /// worker, or on any.
    pub(crate) fn add_disorder(
        &self,
        from_us: i64,
        lasts_for: Duration,
        worker: Option<&'static str>,
    ) {
        let mut interval = Interval::until_now(from_us);
        interval.until_us += lasts_for.as_micros() as i64;
        self.lock().disorders.push(Disorder { interval, worker });
    }

    /// Whether no disruption overlaps this interval and earlier ones had time to heal.
    pub(crate) fn is_calm(&self, from_us: i64, until_us: i64) -> bool {
        let inner = self.lock();
        let losses = inner.losses.iter();
        let losses = losses.map(|loss| Interval { from_us: loss.at_us, until_us: loss.at_us });
        let mut disruptions = inner.disruptions.iter().copied().chain(losses);
        !disruptions.any(|disruption| disruption.overlaps(from_us - RECOVERY_US, until_us))
    }

    /// Whether nothing allows jobs to start out of order on a worker in this interval.
    pub(crate) fn keeps_order(&self, worker: &str, from_us: i64, until_us: i64) -> bool {
        let inner = self.lock();
        !inner.disorders.iter().any(|disorder| {
            disorder.worker.is_none_or(|name| name == worker)
                && disorder.interval.overlaps(from_us, until_us)
        })
    }

    /// Whether nothing but single workers was disrupted in this interval.
    pub(crate) fn has_no_shared_disruption(&self, from_us: i64, until_us: i64) -> bool {
        let inner = self.lock();
        !inner.shared_disruptions.iter().any(|disruption| disruption.overlaps(from_us, until_us))
    }

    pub(crate) fn losses(&self) -> Vec<Loss> {
        self.lock().losses.clone()
    }

    /// Whether Redis has lost writes.
    pub(crate) fn has_lost_writes(&self) -> bool {
        !self.lock().roll_backs.is_empty()
    }

    /// Whether Redis has lost writes in this interval.
    pub(crate) fn has_lost_writes_in(&self, from_us: i64, until_us: i64) -> bool {
        self.lock().roll_backs.iter().any(|at_us| (from_us..until_us).contains(at_us))
    }

    pub(crate) fn faults(&self) -> Vec<&'static str> {
        self.lock().faults.clone()
    }

    /// Whether the clock of Redis was set.
    pub(crate) fn clock_was_set(&self) -> bool {
        self.lock().faults.contains(&CLOCK_SET)
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
