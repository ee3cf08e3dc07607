//! How large the parameters of a job may be, however they come together.

use serde_json::{Map, Value};

use crate::error::{Error, Place};

const PARAMETERS_BYTES: usize = 64 * 1024;
/// Readers of JSON give up at a depth of 128, and a list of jobs is some levels deep itself.
const PARAMETERS_DEPTH: usize = 64;

/// The same parameters, unless they are too many.
pub(crate) fn checked_parameters(
    parameters: Map<String, Value>,
) -> Result<Map<String, Value>, Error> {
    let too_large = || {
        let place = Place::field("parameters");
        Error::TooLarge { place, limit_bytes: PARAMETERS_BYTES }
    };
    let bytes = serde_json::to_vec(&parameters).map_err(|_| too_large())?.len();
    if bytes > PARAMETERS_BYTES {
        return Err(too_large());
    }
    if parameters.values().any(|value| is_deeper_than(value, PARAMETERS_DEPTH)) {
        let why = format!("it is more than {PARAMETERS_DEPTH} levels deep");
        return Err(Error::invalid("parameters", why));
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
