//! Reads the JSON that records hold. An error names the field.

use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// Reads a value that the record `key` holds.
pub(crate) fn read_json<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, StoreError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json);
    let value = value.map_err(|error| StoreError::unreadable(key, error))?;
    json.end().map_err(|error| StoreError::unreadable(key, error))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use domain::job::JobSpec;

    use super::*;

    #[test]
    fn an_error_names_the_record_and_the_field() {
        let cases = [
            (
                r#"{"action": "a", "when": "later"}"#,
                "job 1 cannot be read: when: unknown variant `later`",
            ),
            (r#"{"action": "a", "retries": {}}"#, "job 1 cannot be read: retries: invalid type"),
            (r#"{"action": "a"} b"#, "job 1 cannot be read: trailing characters"),
            ("", "job 1 cannot be read: EOF while parsing"),
        ];
        for (text, expected) in cases {
            let error = read_json::<JobSpec>("job 1", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
