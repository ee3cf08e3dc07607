//! The signal that continued a job, and the one for which it waits after its run.

use std::sync::{Arc, Mutex, PoisonError};

use domain::signal::SignalWait;
use serde::de::DeserializeOwned;

/// The signals of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Signals {
    received: Option<Arc<str>>,
    awaited: Arc<Mutex<Option<SignalWait>>>,
}

impl Signals {
    /// The signals of a run that was continued by one with this body, as JSON.
    pub(crate) fn new(received: Option<String>) -> Signals {
        Signals { received: received.map(Arc::from), awaited: Arc::default() }
    }

    /// Returns the body of the signal that continued the job, `{"timedOut":true}` if it was not sent
    /// in time, or `None` if the job has not waited for a signal.
    pub fn received<Body: DeserializeOwned>(&self) -> Result<Option<Body>, serde_json::Error> {
        self.received.as_deref().map(serde_json::from_str).transpose()
    }

    /// The same as JSON.
    pub(crate) fn body(&self) -> Option<&str> {
        self.received.as_deref()
    }

    /// Makes the job wait for a signal after the run succeeds. It occupies no worker while it waits,
    /// and continues in a new run. The last call of a run counts.
    pub fn wait_for(&self, wait: SignalWait) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = Some(wait);
    }

    pub(crate) fn awaited(&self) -> Option<SignalWait> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
