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
pub(crate) const CODES: [&str; 14] = [
    "outage",
    "due",
    "dependency",
    "children",
    "signal",
    "paused",
    "lock",
    "rate",
    "fairness",
    "capacity",
    "action",
    "draining",
    "gathering",
    "queue",
];

impl Reason {
    /// Creates a reason with one of [`CODES`].
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Reason {
        Reason { code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::explanation::WAIT_REASONS;

    #[test]
    fn every_code_has_an_explanation() {
        let explained: Vec<&str> = WAIT_REASONS.iter().map(|one| one.code).collect();
        let missing: Vec<_> = CODES.iter().filter(|code| !explained.contains(code)).collect();
        assert!(missing.is_empty(), "not in domain::explanation: {missing:?}");
        let unknown: Vec<_> = explained.iter().filter(|code| !CODES.contains(code)).collect();
        assert!(unknown.is_empty(), "no reason has the code: {unknown:?}");
    }
}
