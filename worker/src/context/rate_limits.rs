//! The rate limits of a run, which it can hold back when the service that it calls requests a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::job::GoDuration;
use domain::limit::MAX_HOLD_BACK;
use domain::lock::{LockName, Locks};
use serde::Deserialize;

use super::retrying_store::RetryingStore;

/// Why a rate limit was not held back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldBackError {
    /// The job does not start under this limit.
    #[error("the job has no rate {0:?}")]
    NoRate(String),
    /// The key is not limited.
    #[error("no rate limit applies to {0:?}")]
    NotLimited(String),
    /// The time is too long, or none.
    #[error("retryAfter must be a duration of at most 24h")]
    Time,
    /// The lease of the worker is lost, or the store cannot carry out the call.
    #[error("the store does not accept it")]
    Store,
}

/// The rate limits of a run. Cheap to clone.
#[derive(Clone)]
pub struct RateLimits {
    keys: Vec<LockName>,
    store: RetryingStore,
    /// Whether the service has refused the run for the time being.
    is_held_back: Arc<AtomicBool>,
}

/// A line of the progress pipe: `{"retryAfter": "30s", "rate": "mail"}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RetryAfter {
    pub(crate) retry_after: GoDuration,
    pub(crate) rate: String,
}

impl RateLimits {
    pub(crate) fn new(locks: &Locks, store: RetryingStore) -> RateLimits {
        let keys = locks.iter().map(|(name, _)| name).filter(|name| name.rate_key().is_some());
        let keys = keys.cloned().collect();
        RateLimits { keys, store, is_held_back: Arc::default() }
    }

    /// Lets no job start under a rate limit of this job for some time, because the service that it
    /// calls has requested a pause.
    pub async fn hold_back(&self, rate: &str, time: Duration) -> Result<(), HoldBackError> {
        let key = self.keys.iter().find(|key| key.rate_key() == Some(rate));
        let key = key.ok_or_else(|| HoldBackError::NoRate(rate.chars().take(128).collect()))?;
        if time.is_zero() || time > MAX_HOLD_BACK {
            return Err(HoldBackError::Time);
        }
        match self.store.until_answered(|| self.store.store.hold_back(key, time)).await {
            Some(Ok(true)) => {
                self.is_held_back.store(true, Ordering::Relaxed);
                Ok(())
            }
            Some(Ok(false)) => Err(HoldBackError::NotLimited(rate.to_owned())),
            Some(Err(_)) | None => Err(HoldBackError::Store),
        }
    }

    /// The same for all rate limits of the job, by a receiver that may not have said for how long.
    /// Those that do not apply are left out.
    pub(crate) async fn hold_back_all(&self, time: Duration) {
        self.is_held_back.fetch_or(!self.keys.is_empty(), Ordering::Relaxed);
        for rate in self.keys.iter().filter_map(LockName::rate_key) {
            // The time of a server may be too long.
            let _ = self.hold_back(rate, time.min(MAX_HOLD_BACK)).await;
        }
    }

    /// Whether the run has held back a rate limit. If it fails, its retry is free.
    pub(crate) fn is_held_back(&self) -> bool {
        self.is_held_back.load(Ordering::Relaxed)
    }
}
