//! Values of a submission that are checked by more than their type.

use serde_json::{Map, Value};
use shared::job::Timestamp;
use shared::lock::{LockError, LockPatterns, Locks};

use crate::error::Error;

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
