//! Prints one record: a field per line for people, a document for programs.

use client::command::{CommandError, print};
use client::escape;
use serde_json::{Map, Value};

use crate::flags::OutputFlags;

/// Prints a record for programs, or its fields with those named in `first` first. The first of them
/// is its id or name.
pub(crate) fn print_record(
    record: &Value,
    first: &[&str],
    output: OutputFlags,
) -> Result<(), CommandError> {
    if output.print_one(record, first.first().unwrap_or(&"id"))? {
        return Ok(());
    }
    print(record.as_object().map(|record| fields(record, first)).unwrap_or_default())
}

/// Prints a job that was just created: in a format for programs, or its id alone.
pub(crate) fn print_new_job(job: &Value, output: OutputFlags) -> Result<(), CommandError> {
    if output.print_one(job, "id")? { Ok(()) } else { print(plain(&job["id"])) }
}

/// Lists the fields, one per line, without those that are null or empty. Control characters are
/// escaped, so that a value cannot look like another field.
pub(crate) fn fields(record: &Map<String, Value>, first: &[&str]) -> String {
    let named = first.iter().filter_map(|name| record.get_key_value(*name));
    let others = record.iter().filter(|(name, _)| !first.contains(&name.as_str()));
    let fields = named.chain(others).map(|(name, value)| (name, plain(value)));
    let fields = fields.filter(|(_, text)| !text.is_empty());
    fields
        .map(|(name, text)| format!("{name:<16} {}", escape(&text)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Formats a value for people: strings without quotes; null and empty containers as nothing.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn null_and_empty_fields_are_left_out() {
        let record = json!({
            "attempt": 1, "status": "error", "id": "x", "deadline": "", "holds": {},
            "dependsOn": [], "children": {"open": 1, "failed": 0}, "capacityMap": null,
            "parameters": {"seconds": 3},
        });
        expect![[r#"
            id               x
            status           error
            attempt          1
            children         {"failed":0,"open":1}
            parameters       {"seconds":3}
        "#]]
        .assert_eq(&(fields(record.as_object().unwrap(), &["id", "number", "status"]) + "\n"));
    }

    #[test]
    fn a_value_cannot_look_like_another_field() {
        let record = json!({"comment": "a\nstatus           done\u{1b}[2J"});
        let shown = fields(record.as_object().unwrap(), &[]);
        assert_eq!(shown, r"comment          a\nstatus           done\x1b[2J");
    }

    #[test]
    fn strings_are_shown_without_quotes() {
        let cases = [
            (json!("a b"), "a b"),
            (json!(null), ""),
            (json!({}), ""),
            (json!([]), ""),
            (json!(0), "0"),
            (json!({"a": [1]}), r#"{"a":[1]}"#),
        ];
        for (value, text) in cases {
            assert_eq!(plain(&value), text);
        }
    }
}
