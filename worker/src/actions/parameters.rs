//! Deserializes the parameters of a job.

use domain::job::Exception;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Returns a job's parameters as a type. An error names the invalid field.
pub(super) fn deserialize<T: DeserializeOwned>(
    parameters: Option<&Map<String, Value>>,
) -> Result<T, Exception> {
    let parameters = Value::Object(parameters.cloned().unwrap_or_default());
    serde_path_to_error::deserialize(parameters).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { String::new() } else { format!(".{path}") };
        Exception::new("BadParameter", format!("parameters{field}: {}", error.inner()))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only deserialized")]
    struct Resize {
        width: u32,
        sizes: Option<Vec<u32>>,
    }

    #[test]
    fn an_error_names_the_invalid_parameter() {
        let cases = [
            (json!({}), "parameters: missing field `width`"),
            (json!({"width": "x"}), "parameters.width: invalid type: string \"x\", expected u32"),
            (json!({"width": 1, "sizes": [1, -1]}), "parameters.sizes[1]: invalid value"),
            (json!({"width": 1, "hight": 2}), "parameters.hight: unknown field"),
        ];
        for (parameters, why) in cases {
            let error = deserialize::<Resize>(parameters.as_object()).unwrap_err();
            assert_eq!(error.kind, "BadParameter");
            assert!(error.message.starts_with(why), "{parameters}: {}", error.message);
        }
    }
}
