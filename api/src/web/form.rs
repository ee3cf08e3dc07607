//! The fields of forms that carry values.

use std::fmt::Display;

use axum::extract::Request;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::body;
use crate::error::Error;
use crate::query::Query;

/// Text in a form may take three times the bytes that it has.
const BODY_BYTES: usize = 3 * 1024 * 1024;

/// Reads a form with these fields.
pub(super) async fn read(request: Request, fields: &[&str]) -> Result<Query, Error> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, BODY_BYTES).await?;
    Query::read(Some(&String::from_utf8_lossy(&bytes)), fields)
}

/// Parses a JSON object; an empty text is none.
pub(super) fn object(field: &str, text: Option<&str>) -> Result<Option<Map<String, Value>>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let invalid = |why: &dyn Display| Error::invalid(field, format!("it is not valid JSON: {why}"));
    match serde_json::from_str(text).map_err(|error| invalid(&error))? {
        Value::Object(object) => Ok(Some(object)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Error::invalid(field, "it must be a JSON object, like {\"host\": \"sw1\"}"))
        }
    }
}

/// Parses one of some words; an empty text is none.
pub(super) fn word<T: DeserializeOwned>(
    field: &str,
    text: Option<&str>,
    words: &[&str],
) -> Result<Option<T>, Error> {
    let Some(text) = text else { return Ok(None) };
    let word = serde_json::from_value(Value::String(text.to_owned())).ok();
    let why = || format!("it must be one of: {}", words.join(", "));
    word.map(Some).ok_or_else(|| Error::invalid(field, why()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::cron::Overlap;

    #[test]
    fn a_field_is_parsed_and_its_error_names_it() {
        assert_eq!(object("p", Some(" ")).unwrap(), None);
        assert_eq!(object("p", Some("{\"a\": 1}")).unwrap().unwrap()["a"], 1);
        let refused = |text| object("p", Some(text)).unwrap_err().to_string();
        assert!(refused("{").starts_with("p: it is not valid JSON: "));
        assert!(refused("[1]").starts_with("p: it must be a JSON object"));
        let overlap = |text| word::<Overlap>("overlap", text, Overlap::WORDS);
        assert_eq!(overlap(Some("skip")).unwrap(), Some(Overlap::Skip));
        assert_eq!(overlap(None).unwrap(), None);
        let error = overlap(Some("x")).unwrap_err().to_string();
        assert_eq!(error, "overlap: it must be one of: allow, skip, queue, replace");
    }
}
