//! The records that lists leave out because they cannot be read: they are counted and logged, so
//! that one record does not hide the others and does not go unnoticed either.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;

/// How long until the same error is logged again.
const LOG_PERIOD: Duration = Duration::from_secs(60);
/// How many errors are remembered for that.
const MAX_REMEMBERED: usize = 1_000;

/// Counts and logs what lists leave out. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeftOut(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: AtomicU64,
    logged: Mutex<HashMap<String, Instant>>,
}

impl LeftOut {
    /// Leaves out a record.
    pub(crate) fn add(&self, error: &StoreError) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        let text = error.to_string();
        let mut logged = self.0.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.get(&text).is_some_and(|last| last.elapsed() < LOG_PERIOD) {
            return;
        }
        if logged.len() >= MAX_REMEMBERED {
            logged.clear();
        }
        logged.insert(text, Instant::now());
        tracing::error!(%error, "left out a record: repair or delete it");
    }

    /// Returns the value, unless it cannot be read; then it is left out.
    pub(crate) fn readable<T>(&self, read: Result<T, StoreError>) -> Option<T> {
        read.inspect_err(|error| self.add(error)).ok()
    }

    /// How many records were left out.
    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }
}
