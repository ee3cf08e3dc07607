//! The verdict as a value.

/// How urgent a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Nothing has to be done.
    Calm,
    /// Someone should look at it.
    Notice,
    /// Jobs cannot run.
    Alarm,
}

/// The state of the fleet in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How urgent it is.
    pub(crate) urgency: Urgency,
    /// The state in a sentence.
    pub(crate) text: String,
    /// Further sentences that explain it.
    pub(crate) because: Vec<String>,
    /// What was checked and is in order.
    pub(crate) ruled_out: Vec<String>,
    /// How long until the jobs that only wait for workers have started, at the present rate. `None`
    /// if that is unknown.
    pub(crate) drains_in_ms: Option<u64>,
}

impl Urgency {
    /// Returns the word, the same in JSON and in the styles.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Urgency::Calm => "calm",
            Urgency::Notice => "attention",
            Urgency::Alarm => "alarm",
        }
    }
}
