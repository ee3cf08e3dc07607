//! The reason why a job waits, as a code and a sentence.

/// Why a job waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// One of [`CODES`].
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) message: String,
}

/// Every code.
pub(crate) const CODES: [&str; 11] = [
    "outage",
    "due",
    "dependency",
    "children",
    "paused",
    "lock",
    "fairness",
    "capacity",
    "action",
    "draining",
    "queue",
];

impl Reason {
    /// Creates a reason with one of [`CODES`].
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Reason {
        Reason { code, message: message.into() }
    }
}
