//! Why a capacity map or a class is not valid, and the limits on both.

pub(super) const MAX_TYPE_LENGTH: usize = 32;
pub(super) const MAX_TYPES: usize = 16;
pub(super) const MAX_UNITS: u32 = 1_000_000;
// The name of a queue contains the class, and AMQP limits names to 255 bytes.
pub(super) const MAX_CLASS_LENGTH: usize = 150;

/// Why a capacity map or a class is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapacityError {
    /// The name of a type has characters that are not allowed, or too many.
    #[error("capacity type {0:?} must be 1 to 32 characters of A-Z a-z 0-9 _ . -")]
    Type(String),
    /// The units are not a whole number from 0 to 1,000,000.
    #[error("units of {0:?} must be a whole number from 0 to 1000000")]
    Units(String),
    /// An entry of the text form is not `type=units`.
    #[error("{0:?} is not of the form type=units")]
    Entry(String),
    /// The text form names a type twice.
    #[error("capacity type {0:?} is given twice")]
    Twice(String),
    /// The map names too many types.
    #[error("a capacity map names at most {MAX_TYPES} types")]
    TooMany,
    /// The canonical form is too long for the name of a queue.
    #[error("a capacity map is at most {MAX_CLASS_LENGTH} characters in the form a=1+b=2")]
    TooLong,
}

/// The part of a refused text that an error repeats.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
