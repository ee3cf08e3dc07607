//! Why a rate limit is not valid, and the check that all kinds share.

/// The most starts per time, and at once.
pub const MAX_STARTS: u32 = 1_000_000;

/// Why a rate limit is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The name has characters that are not allowed, or too many.
    #[error("it must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @, and may end in *")]
    Name,
    /// The number of starts is out of range.
    #[error("it must be a whole number from 1 to {MAX_STARTS}")]
    Starts,
    /// The time is out of range.
    #[error("it must be a duration from 1s to 8784h")]
    Per,
    /// There is no such window.
    #[error("it must be minute, hour, day, week or month")]
    Window,
}

/// Checks a number of starts.
pub(super) fn starts(number: i64) -> Result<u32, LimitError> {
    let number = u32::try_from(number).ok().filter(|n| (1..=MAX_STARTS).contains(n));
    number.ok_or(LimitError::Starts)
}
