//! Fields of request bodies that need more than their type to be checked.

use domain::job::Timestamp;
use domain::lock::{LockError, LockTemplates, Locks};
use serde_json::{Map, Value};

use crate::error::Error;

/// Returns the locks, with the parameters in their names filled in.
pub(in crate::v0) fn locks(
    templates: Option<LockTemplates>,
    parameters: Option<&Map<String, Value>>,
) -> Result<Locks, Error> {
    let rendered = templates.unwrap_or_default().render(parameters);
    rendered.map_err(|error| Error::invalid("locks", error))
}

/// Returns the locks of a job. If a name needs a parameter that is missing, it returns the
/// templates instead: the action may provide the parameter.
pub(in crate::v0) fn locks_or_templates(
    templates: Option<LockTemplates>,
    parameters: Option<&Map<String, Value>>,
) -> Result<(Locks, LockTemplates), Error> {
    let templates = templates.unwrap_or_default();
    match templates.clone().render(parameters) {
        Ok(locks) => Ok((locks, LockTemplates::None)),
        Err(LockError::Parameter(..)) => Ok((Locks::default(), templates)),
        Err(error) => Err(Error::invalid("locks", error)),
    }
}

/// Parses a time. An empty string means none, as in DTR.
pub(in crate::v0) fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Error> {
    let time = text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    time.map_err(|error| Error::invalid(field, error))
}
