//! Limits on what a job may carry, for every way to submit one: HTTP, a running job, the crons
//! file. The errors do not name the field; the caller adds the name that its interface uses.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::job::Backoff;

/// The most retries of a job.
pub const MAX_RETRIES: u32 = 100;
/// The most jobs that a job may depend on.
pub const MAX_DEPENDENCIES: usize = 1000;
/// The longest comment.
pub const COMMENT_CHARACTERS: usize = 255;
/// The longest ticket reference.
pub const TICKET_CHARACTERS: usize = 32;
/// The longest unique key.
pub const UNIQUE_KEY_CHARACTERS: usize = 255;
/// The longest batch key.
pub const BATCH_KEY_CHARACTERS: usize = 255;
/// How many submissions one job may have.
pub const BATCH_SIZES: RangeInclusive<u32> = 2..=1000;
/// The longest name of a fairness group.
pub const FAIRNESS_KEY_CHARACTERS: usize = 128;
/// The largest parameters of a job, in bytes of JSON.
pub const PARAMETERS_BYTES: usize = 64 * 1024;
/// The deepest nesting of parameters. JSON parsers stop at a depth of 128, and a list of jobs adds
/// levels of its own.
pub const PARAMETERS_DEPTH: usize = 64;

/// The longest delay before a retry, unless the back-off sets another.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// A value exceeds its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// Too many retries.
    #[error("it must be a whole number from 0 to {MAX_RETRIES}")]
    Retries,
    /// Too many dependencies.
    #[error("{0} is more than the maximum of {MAX_DEPENDENCIES}")]
    Dependencies(usize),
    /// The text is too long.
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    /// The key is empty.
    #[error("it is empty")]
    Empty,
    /// The parameters are too large.
    #[error("it is larger than {PARAMETERS_BYTES} bytes")]
    Bytes,
    /// The parameters are nested too deeply.
    #[error("it is more than {PARAMETERS_DEPTH} levels deep")]
    TooDeep,
    /// The first delay of a back-off is longer than its longest.
    #[error("it must not be longer than max, which is 5m by default")]
    Backoff,
}

/// Checks the number of retries.
pub fn retries(retries: Option<u32>) -> Result<Option<u32>, BoundError> {
    if retries.is_some_and(|retries| retries > MAX_RETRIES) {
        return Err(BoundError::Retries);
    }
    Ok(retries)
}

/// Checks the number of dependencies.
pub fn dependencies(count: usize) -> Result<(), BoundError> {
    if count > MAX_DEPENDENCIES { Err(BoundError::Dependencies(count)) } else { Ok(()) }
}

/// Checks that a text has at most `max` characters.
pub fn text(text: Option<String>, max: usize) -> Result<Option<String>, BoundError> {
    match &text {
        Some(long) if long.chars().count() > max => Err(BoundError::TooLong(max)),
        Some(_) | None => Ok(text),
    }
}

/// Checks that a key has at least one and at most `max` characters.
pub fn key(key: Option<String>, max: usize) -> Result<Option<String>, BoundError> {
    if key.as_ref().is_some_and(String::is_empty) {
        return Err(BoundError::Empty);
    }
    text(key, max)
}

/// Checks that the first delay of a back-off is not longer than its longest.
pub fn backoff(backoff: Backoff) -> Result<Backoff, BoundError> {
    let longest = backoff.max.duration().unwrap_or(LONGEST_BACKOFF);
    let base = backoff.base.duration();
    if base.is_some_and(|base| base > longest) { Err(BoundError::Backoff) } else { Ok(backoff) }
}

/// Checks the size and the depth of parameters.
pub fn parameters(parameters: Map<String, Value>) -> Result<Map<String, Value>, BoundError> {
    let json = serde_json::to_vec(&parameters).map_err(|_| BoundError::Bytes)?;
    if json.len() > PARAMETERS_BYTES {
        return Err(BoundError::Bytes);
    }
    if parameters.values().any(|value| is_deeper_than(value, PARAMETERS_DEPTH)) {
        return Err(BoundError::TooDeep);
    }
    Ok(parameters)
}

/// Checks the depth of a JSON value.
pub fn json_depth(value: &Value) -> Result<(), BoundError> {
    if is_deeper_than(value, PARAMETERS_DEPTH) { Err(BoundError::TooDeep) } else { Ok(()) }
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
    fn a_value_at_its_limit_is_accepted_and_one_above_is_refused() {
        assert_eq!(retries(Some(100)), Ok(Some(100)));
        assert_eq!(retries(Some(101)), Err(BoundError::Retries));
        assert_eq!(dependencies(1000), Ok(()));
        assert_eq!(dependencies(1001), Err(BoundError::Dependencies(1001)));
        let umlauts = |count| Some("ä".repeat(count));
        assert_eq!(text(umlauts(3), 3), Ok(umlauts(3)));
        assert_eq!(text(umlauts(4), 3), Err(BoundError::TooLong(3)));
        assert_eq!(text(umlauts(0), 3), Ok(umlauts(0)));
        assert_eq!(key(umlauts(0), 3), Err(BoundError::Empty));
        assert_eq!(key(None, 3), Ok(None));
        assert_eq!(parameters(nested(64)), Ok(nested(64)));
        assert_eq!(parameters(nested(65)), Err(BoundError::TooDeep));
        let large = |bytes: usize| Map::from_iter([("a".to_owned(), json!("x".repeat(bytes - 8)))]);
        assert!(parameters(large(PARAMETERS_BYTES)).is_ok());
        assert_eq!(parameters(large(PARAMETERS_BYTES + 1)), Err(BoundError::Bytes));
    }

    #[test]
    fn the_first_delay_of_a_back_off_is_not_longer_than_its_longest() {
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
