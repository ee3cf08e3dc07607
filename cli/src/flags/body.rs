//! Turns the arguments of a command into a request body.

use client::command::CommandError;
use serde::Serialize;
use serde_json::{Map, Value};

/// Serializes arguments without those that were not given: the API has their defaults.
pub(crate) fn body(arguments: &impl Serialize) -> Result<Map<String, Value>, CommandError> {
    let fields = serde_json::to_value(arguments).and_then(serde_json::from_value);
    let mut fields: Map<String, Value> =
        fields.map_err(|error| CommandError::Usage(error.to_string()))?;
    fields.retain(|_, value| !value.is_null());
    Ok(fields)
}
