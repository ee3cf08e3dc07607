//! Flags that several commands share, and the request bodies that flags become.

mod job_template;
mod label;
mod output;
mod paging;
mod parameters;
mod time_or_age;

use client::command::CommandError;
use domain::job::{Backoff, GoDuration};
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use job_template::{JobTemplate, LockRequest, by_name};
pub(crate) use label::{LabelFlag, as_object};
pub(crate) use output::OutputFlags;
pub(crate) use paging::Paging;
pub(crate) use parameters::ParameterFlags;
pub(crate) use time_or_age::TimeOrAge;

/// Serializes arguments without those that were not given: the API has their defaults.
pub(crate) fn body(arguments: &impl Serialize) -> Result<Map<String, Value>, CommandError> {
    let fields = serde_json::to_value(arguments).and_then(serde_json::from_value);
    let mut fields: Map<String, Value> =
        fields.map_err(|error| CommandError::Usage(error.to_string()))?;
    fields.retain(|_, value| !value.is_null());
    Ok(fields)
}

/// Returns the delays before retries if one of them is given.
pub(crate) fn backoff(base: Option<&GoDuration>, max: Option<&GoDuration>) -> Option<Backoff> {
    let delay = |given: Option<&GoDuration>| given.cloned().unwrap_or_default();
    base.or(max).map(|_| Backoff { base: delay(base), max: delay(max) })
}
