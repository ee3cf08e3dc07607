//! Fields of request bodies that need more than their type to be checked.

use std::collections::BTreeMap;

use domain::job::{Labels, Timestamp};
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

/// Returns the rate limits that clients name, with the parameters replaced.
pub(in crate::v0) fn rates(
    templates: Option<LockTemplates>,
    parameters: Option<&Map<String, Value>>,
) -> Result<Locks, Error> {
    let rendered = templates.unwrap_or_default().render_rates(parameters);
    rendered.map_err(|error| Error::invalid("rates", error))
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

/// Checks the labels of a job.
pub(in crate::v0) fn labels(labels: Option<BTreeMap<String, String>>) -> Result<Labels, Error> {
    let labels = Labels::new(labels.unwrap_or_default());
    labels.map_err(|error| Error::invalid(error.field(), error))
}

/// Parses a time. An empty string means none, as in DTR.
pub(in crate::v0) fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Error> {
    let time = text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    time.map_err(|error| Error::invalid(field, error))
}
