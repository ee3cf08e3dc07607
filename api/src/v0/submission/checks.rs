//! Values of a submission that are checked by more than their type.

use std::time::Duration;

use serde_json::{Map, Value};
use shared::job::{self, Timestamp};
use shared::lock::{LockError, LockPatterns, Locks};

use crate::error::Error;

/// How often a job may be tried again.
pub(in crate::v0) const MOST_RETRIES: u32 = 100;
pub(super) const COMMENT_CHARACTERS: usize = 255;
pub(super) const TICKET_CHARACTERS: usize = 32;
pub(super) const UNIQUE_KEY_CHARACTERS: usize = 255;
pub(super) const FAIRNESS_KEY_CHARACTERS: usize = 128;

/// Locks, with the parameters in their names filled in.
pub(in crate::v0) fn checked_locks(
    patterns: Option<LockPatterns>,
    parameters: Option<&Map<String, Value>>,
) -> Result<Locks, Error> {
    let locks = patterns.unwrap_or_default().render(parameters);
    locks.map_err(|error| Error::invalid("locks", error))
}

/// The same of a job, whose action may have parameters that it lacks: such locks are kept as they are.
pub(super) fn early_or_late(
    patterns: Option<LockPatterns>,
    parameters: Option<&Map<String, Value>>,
) -> Result<(Locks, LockPatterns), Error> {
    let patterns = patterns.unwrap_or_default();
    match patterns.clone().render(parameters) {
        Ok(locks) => Ok((locks, LockPatterns::None)),
        Err(LockError::Parameter(..)) => Ok((Locks::default(), patterns)),
        Err(error) => Err(Error::invalid("locks", error)),
    }
}

/// A moment; the empty text is none, as the reference has it.
pub(in crate::v0) fn moment(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Error> {
    let moment = text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    moment.map_err(|error| Error::invalid(field, error))
}

/// A back-off that does not begin beyond its longest.
pub(super) fn checked_backoff(backoff: job::Backoff) -> Result<job::Backoff, Error> {
    const LONGEST: Duration = Duration::from_secs(5 * 60);
    let longest = backoff.max.duration().unwrap_or(LONGEST);
    if backoff.base.duration().is_some_and(|base| base > longest) {
        let why = "it must not be longer than max, which is 5m unless given";
        return Err(Error::invalid("backoff.base", why));
    }
    Ok(backoff)
}

/// A text that may be empty.
pub(super) fn checked_text(
    field: &str,
    text: Option<String>,
    most: usize,
) -> Result<Option<String>, Error> {
    if text.as_ref().is_some_and(|text| text.chars().count() > most) {
        return Err(Error::invalid(field, format!("it is longer than {most} characters")));
    }
    Ok(text)
}

/// A text that may not.
pub(super) fn checked_key(
    field: &str,
    text: Option<String>,
    most: usize,
) -> Result<Option<String>, Error> {
    let key = checked_text(field, text, most)?;
    if key.as_ref().is_some_and(String::is_empty) {
        return Err(Error::invalid(field, "it is empty"));
    }
    Ok(key)
}
