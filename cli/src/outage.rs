//! Whether a stream should be opened again: an API that answered before may be restarting.

use std::time::{Duration, Instant};

use client::API_OUTAGE_LIMIT;

/// Pause before another attempt to reach the API.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// What is known about the API's absence.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    has_connected: bool,
    since: Option<Instant>,
}

impl Outage {
    /// Notes that the API has answered.
    pub(crate) fn ended(&mut self) {
        *self = Outage { has_connected: true, since: None };
    }

    /// Notes that the API does not answer. Returns true if another attempt makes sense.
    pub(crate) fn may_end(&mut self) -> bool {
        let since = self.since.get_or_insert_with(Instant::now);
        self.has_connected && since.elapsed() < API_OUTAGE_LIMIT
    }
}
