//! The health of a service: whether each of its parts makes progress.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The health of a service, by part. Clones share their state.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Part>>>);

struct Part {
    last_progress: Option<Instant>,
    max_silence: Duration,
    error: Option<String>,
    warning: Option<String>,
}

impl Health {
    /// Registers a part that must report progress at least once per `max_silence`. It is unhealthy
    /// until its first report.
    pub fn expect(&self, part: &'static str, max_silence: Duration) {
        let new = Part { last_progress: None, max_silence, error: None, warning: None };
        self.lock().insert(part, new);
    }

    /// Reports that a part made progress.
    pub fn progress(&self, part: &'static str) {
        if let Some(part) = self.lock().get_mut(part) {
            part.last_progress = Some(Instant::now());
            part.error = None;
        }
    }

    /// Reports that a part failed. It is unhealthy until it makes progress.
    pub fn failure(&self, part: &'static str, error: &dyn Display) {
        if let Some(part) = self.lock().get_mut(part) {
            part.error = Some(error.to_string());
        }
    }

    /// Sets what a part leaves out while it makes progress. It stays healthy; `/readyz` shows it.
    pub fn warn(&self, part: &'static str, left_out: &[String]) {
        if let Some(part) = self.lock().get_mut(part) {
            part.warning = (!left_out.is_empty()).then(|| left_out.join("; "));
        }
    }

    /// Returns the warning of each part that has one.
    #[must_use]
    pub fn warnings(&self) -> BTreeMap<&'static str, String> {
        let parts = self.lock();
        parts.iter().filter_map(|(name, part)| Some((*name, part.warning.clone()?))).collect()
    }

    /// Returns the problem of each part, or `None` if the part is healthy.
    #[must_use]
    pub fn problems(&self) -> BTreeMap<&'static str, Option<String>> {
        self.lock().iter().map(|(name, part)| (*name, part.problem())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    fn problem(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        match self.last_progress.map(|last| last.elapsed()) {
            None => Some("not started".to_owned()),
            Some(silence) if silence > self.max_silence => {
                Some(format!("no progress for {}s", silence.as_secs()))
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_healthy_from_its_progress_until_its_failure_or_silence() {
        let health = Health::default();
        let problem = || health.problems()["loop"].clone();
        health.expect("loop", Duration::from_secs(3600));
        assert_eq!(problem().as_deref(), Some("not started"));
        health.progress("loop");
        assert_eq!(problem(), None);
        health.failure("loop", &"store unavailable");
        assert_eq!(problem().as_deref(), Some("store unavailable"));
        health.progress("loop");
        assert_eq!(problem(), None);
        health.expect("loop", Duration::ZERO);
        health.progress("loop");
        assert_eq!(problem().as_deref(), Some("no progress for 0s"));
    }

    #[test]
    fn a_part_that_leaves_something_out_is_healthy_and_has_a_warning() {
        let health = Health::default();
        health.expect("loop", Duration::from_secs(3600));
        health.progress("loop");
        health.warn("loop", &["cron a cannot be read".to_owned(), "cron b".to_owned()]);
        assert_eq!(health.problems()["loop"], None);
        assert_eq!(health.warnings()["loop"], "cron a cannot be read; cron b");
        health.warn("loop", &[]);
        assert_eq!(health.warnings().len(), 0);
    }
}
