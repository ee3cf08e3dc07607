//! How much a job may carry, however it is asked for: over HTTP, by a running job, by a file of crons. Pure; what is
//! wrong is said without the name of its field, which whoever asks knows best.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::job::Backoff;

/// How often a job may be tried again.
pub const MOST_RETRIES: u32 = 100;
/// How many jobs one may depend on.
pub const MOST_DEPENDENCIES: usize = 1000;
/// The longest remark.
pub const COMMENT_CHARACTERS: usize = 255;
/// The longest name of a ticket.
pub const TICKET_CHARACTERS: usize = 32;
/// The longest key that is unique.
pub const UNIQUE_KEY_CHARACTERS: usize = 255;
/// The longest name of a share.
pub const FAIRNESS_KEY_CHARACTERS: usize = 128;
/// How many bytes the parameters of a job may have, as JSON.
pub const PARAMETERS_BYTES: usize = 64 * 1024;
/// Readers of JSON give up at a depth of 128, and a list of jobs is some levels deep itself.
pub const PARAMETERS_DEPTH: usize = 64;

/// The longest wait before a retry, unless its back-off says another.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// Something is beyond its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// More retries than a job may have.
    #[error("it must be a whole number from 0 to {MOST_RETRIES}")]
    Retries,
    /// More dependencies than a job may have.
    #[error("{0} are more than the {MOST_DEPENDENCIES} it may have")]
    Dependencies(usize),
    /// A text is too long.
    #[error("it is longer than {0} characters")]
    Longer(usize),
    /// A key is the empty text.
    #[error("it is empty")]
    Empty,
    /// The parameters are too large.
    #[error("more than {PARAMETERS_BYTES} bytes, which is the limit")]
    Bytes,
    /// The parameters are too deep.
    #[error("it is more than {PARAMETERS_DEPTH} levels deep")]
    Deep,
    /// A back-off begins beyond its end.
    #[error("it must not be longer than max, which is 5m unless given")]
    Backoff,
}

/// The same retries, unless they are too many.
pub fn retries(retries: Option<u32>) -> Result<Option<u32>, BoundError> {
    if retries.is_some_and(|retries| retries > MOST_RETRIES) {
        return Err(BoundError::Retries);
    }
    Ok(retries)
}

/// Refuses more dependencies than a job may have.
pub fn dependencies(count: usize) -> Result<(), BoundError> {
    if count > MOST_DEPENDENCIES { Err(BoundError::Dependencies(count)) } else { Ok(()) }
}

/// The same text of at most so many characters; it may be empty.
pub fn text(text: Option<String>, most: usize) -> Result<Option<String>, BoundError> {
    match &text {
        Some(long) if long.chars().count() > most => Err(BoundError::Longer(most)),
        Some(_) | None => Ok(text),
    }
}

/// The same text of at most so many characters; it must not be empty.
pub fn key(key: Option<String>, most: usize) -> Result<Option<String>, BoundError> {
    if key.as_ref().is_some_and(String::is_empty) {
        return Err(BoundError::Empty);
    }
    text(key, most)
}

/// The same back-off, unless it begins beyond its longest.
pub fn backoff(backoff: Backoff) -> Result<Backoff, BoundError> {
    let longest = backoff.max.duration().unwrap_or(LONGEST_BACKOFF);
    let base = backoff.base.duration();
    if base.is_some_and(|base| base > longest) { Err(BoundError::Backoff) } else { Ok(backoff) }
}

/// The same parameters, unless they are too large or too deep.
pub fn parameters(parameters: Map<String, Value>) -> Result<Map<String, Value>, BoundError> {
    let json = serde_json::to_vec(&parameters).map_err(|_| BoundError::Bytes)?;
    if json.len() > PARAMETERS_BYTES {
        return Err(BoundError::Bytes);
    }
    if parameters.values().any(|value| is_deeper_than(value, PARAMETERS_DEPTH)) {
        return Err(BoundError::Deep);
    }
    Ok(parameters)
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => {
            levels == 0 || values.iter().any(|value| is_deeper_than(value, levels - 1))
        }
        Value::Object(values) => {
            levels == 0 || values.values().any(|value| is_deeper_than(value, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(levels: usize) -> Map<String, Value> {
        let deep = (0..levels).fold(json!(1), |inner, _| json!([inner]));
        Map::from_iter([("a".to_owned(), deep)])
    }

    #[test]
    fn what_is_at_its_bound_passes_and_what_is_beyond_is_refused() {
        assert_eq!(retries(Some(100)), Ok(Some(100)));
        assert_eq!(retries(Some(101)), Err(BoundError::Retries));
        assert_eq!(dependencies(1000), Ok(()));
        assert_eq!(dependencies(1001), Err(BoundError::Dependencies(1001)));
        let umlauts = |count| Some("ä".repeat(count));
        assert_eq!(text(umlauts(3), 3), Ok(umlauts(3)));
        assert_eq!(text(umlauts(4), 3), Err(BoundError::Longer(3)));
        assert_eq!(text(umlauts(0), 3), Ok(umlauts(0)));
        assert_eq!(key(umlauts(0), 3), Err(BoundError::Empty));
        assert_eq!(key(None, 3), Ok(None));
        assert_eq!(parameters(nested(64)), Ok(nested(64)));
        assert_eq!(parameters(nested(65)), Err(BoundError::Deep));
        let large = |bytes: usize| Map::from_iter([("a".to_owned(), json!("x".repeat(bytes - 8)))]);
        assert!(parameters(large(PARAMETERS_BYTES)).is_ok());
        assert_eq!(parameters(large(PARAMETERS_BYTES + 1)), Err(BoundError::Bytes));
    }

    #[test]
    fn a_back_off_does_not_begin_beyond_its_longest() {
        let read = |base: &str, max: &str| {
            let backoff = Backoff { base: base.parse().unwrap(), max: max.parse().unwrap() };
            super::backoff(backoff).map(drop)
        };
        assert_eq!(read("5m", ""), Ok(()));
        assert_eq!(read("6m", ""), Err(BoundError::Backoff));
        assert_eq!(read("6m", "10m"), Ok(()));
        assert_eq!(read("", "1s"), Ok(()));
    }
}
