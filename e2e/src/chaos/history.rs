//! What happened, with its moment: for the log of the storm, for the report, and to tell what a fault explains.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Moments are microseconds of the same clock that the jobs write theirs with.
pub(crate) fn now_us() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// What was broken has no effect any more so long after.
const HEALED_US: i64 = 5_000_000;

/// An end of a worker's process, or a stop of it that outlives its lease: what it ran must go on elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) at_us: i64,
    pub(crate) pid: u32,
    pub(crate) how: Lost,
}

/// How a worker was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Its process is gone, and its commands with it.
    Killed,
    /// It stands still while its commands go on.
    Frozen,
}

/// All of it. Shared by everything that happens at the same time.
pub(crate) struct History {
    began_us: i64,
    inner: Mutex<Inner>,
}

struct Inner {
    log: File,
    losses: Vec<Loss>,
    faults: Vec<&'static str>,
    disturbances: Vec<(i64, i64)>,
    troubles: Vec<(i64, i64)>,
    violations: Vec<Violation>,
}

/// Something that must always hold did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

impl History {
    pub(crate) fn begin(log: &Path) -> anyhow::Result<History> {
        let inner = Inner {
            log: File::create(log)?,
            losses: Vec::new(),
            faults: Vec::new(),
            disturbances: Vec::new(),
            troubles: Vec::new(),
            violations: Vec::new(),
        };
        Ok(History { began_us: now_us(), inner: Mutex::new(inner) })
    }

    /// Writes a line into the log, and on the screen if somebody watches.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        let at = (now_us() - self.began_us) as f64 / 1e6;
        let line = format!("{at:8.3}  {text}");
        let mut inner = self.lock();
        let _ = writeln!(inner.log, "{line}");
        if std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    pub(crate) fn fault(&self, kind: &'static str) {
        self.lock().faults.push(kind);
    }

    pub(crate) fn loss(&self, pid: u32, how: Lost) {
        self.loss_at(now_us(), pid, how);
    }

    pub(crate) fn loss_at(&self, at_us: i64, pid: u32, how: Lost) {
        self.lock().losses.push(Loss { at_us, pid, how });
    }

    pub(crate) fn violated(&self, invariant: &'static str, what: impl std::fmt::Display) {
        let what = what.to_string();
        self.note(format!("VIOLATED {invariant}: {what}"));
        self.lock().violations.push(Violation { invariant, what });
    }

    /// Something other than a worker was broken from then until now.
    pub(crate) fn disturbed_since(&self, began_us: i64) {
        self.lock().disturbances.push((began_us, now_us()));
    }

    /// Anything at all was broken from then until now.
    pub(crate) fn troubled_since(&self, began_us: i64) {
        self.lock().troubles.push((began_us, now_us()));
    }

    /// Whether nothing was broken between these moments, and what was broken before has had time to heal.
    pub(crate) fn is_calm(&self, from_us: i64, until_us: i64) -> bool {
        let inner = self.lock();
        let broken = inner.troubles.iter();
        let lost = inner.losses.iter().map(|loss| (loss.at_us, loss.at_us));
        !broken
            .copied()
            .chain(lost)
            .any(|(from, until)| from < until_us && from_us < until + HEALED_US)
    }

    /// Whether nothing but workers was broken between these moments.
    pub(crate) fn is_undisturbed(&self, from_us: i64, until_us: i64) -> bool {
        !self.lock().disturbances.iter().any(|(from, until)| *from < until_us && from_us < *until)
    }

    pub(crate) fn losses(&self) -> Vec<Loss> {
        self.lock().losses.clone()
    }

    pub(crate) fn faults(&self) -> Vec<&'static str> {
        self.lock().faults.clone()
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
