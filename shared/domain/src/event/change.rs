//! A change as the stream of events has it, and its place there. Values only: the store reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One entry of the events stream: what changed, as the script told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place in the stream.
    pub place: String,
    /// What was told: `job`, `status`, `worker`, `token`, …
    pub fields: BTreeMap<String, String>,
}

/// A place in the stream. A later change has a larger one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// When it was written, ms since 1970.
    pub ms: u64,
    /// Which one of that moment.
    pub sequence: u64,
}

/// The text is no place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no id of an event, like 1763740800000-0")]
pub struct NoEventId;

impl Change {
    /// Its place in the stream.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.place.parse().unwrap_or_default()
    }
}

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<EventId, NoEventId> {
        let (ms, sequence) = text.split_once('-').ok_or(NoEventId)?;
        let number = |text: &str| {
            let digits = text.chars().all(|c| c.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or(NoEventId)
        };
        Ok(EventId { ms: number(ms)?, sequence: number(sequence)? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}
