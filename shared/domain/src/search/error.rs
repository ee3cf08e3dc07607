//! Why a search cannot be read: where, what is wrong, and what is allowed.

use super::condition::{KEYS, PARAMETER_KEY};
/// The longest search, in characters.
pub const MAX_CHARACTERS: usize = 512;
/// The largest number of terms.
pub const MAX_TERMS: usize = 16;

/// The text is not a valid search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {problem}")]
pub struct SearchError {
    /// The position of the first character that is wrong, from 1.
    pub at: usize,
    /// What is wrong with it.
    pub problem: SearchProblem,
}

/// What is wrong with a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchProblem {
    /// The text is too long.
    #[error("a search has at most {MAX_CHARACTERS} characters")]
    TooLong,
    /// There are too many terms.
    #[error("a search has at most {MAX_TERMS} terms")]
    TooManyTerms,
    /// A value begins with a quotation mark that has no counterpart.
    #[error("the quotation mark is not closed")]
    OpenQuote,
    /// Something follows a closing quotation mark without a space.
    #[error("a space must follow the closing quotation mark")]
    AfterQuote,
    /// There is nothing after `-`, or after the colon of a key.
    #[error("{0} must be followed by a value; write \"\" for an empty one")]
    NoValue(String),
    /// There is nothing after `-`.
    #[error("- must be followed by a term; quote a text that begins with -")]
    NoTerm,
    /// There is no such key.
    #[error(
        "unknown key {0:?}; the keys are {keys} and {PARAMETER_KEY}NAME; \
         quote a text that contains a colon",
        keys = key_names()
    )]
    UnknownKey(String),
    /// The value does not fit the key.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with the value.
        reason: String,
    },
    /// The key occurs twice, and no job can satisfy both terms.
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// The key cannot be excluded.
    #[error("{0} cannot be excluded; use {1} instead")]
    NotExcludable(&'static str, &'static str),
}

fn key_names() -> String {
    KEYS.map(|key| key.name).join(", ")
}
