//! Reads the JSON that records hold. An error names the field.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::StoreError;

/// Reads a value that the record `key` holds.
pub(crate) fn read_json<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, StoreError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json);
    let value = value.map_err(|error| StoreError::unreadable(key, error))?;
    json.end().map_err(|error| StoreError::unreadable(key, error))?;
    Ok(value)
}

/// Returns the JSON of a record after a change from `was` to `now`. Fields that this build does not
/// know keep their values.
pub(crate) fn changed_json<T: Serialize>(json: &str, was: &T, now: &T) -> String {
    let object = |value: &T| match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (was, now) = (object(was), object(now));
    let mut fields: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    fields.retain(|name, _| !was.contains_key(name));
    fields.extend(now);
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests {
    use domain::job::JobSpec;

    use super::*;

    #[test]
    fn a_change_keeps_the_fields_that_this_build_does_not_know() {
        let json = r#"{"action":"a","retries":2,"tint":"red"}"#;
        let was: JobSpec = read_json("job 1", json).unwrap();
        let now = JobSpec { retries: 0, action: "b".parse().unwrap(), ..was.clone() };
        let changed: Value = serde_json::from_str(&changed_json(json, &was, &now)).unwrap();
        assert_eq!((&changed["action"], &changed["tint"]), (&"b".into(), &"red".into()));
        assert_ne!(changed["retries"], 2);
    }

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
