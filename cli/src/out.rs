//! What is printed: results on standard output, for programs too; remarks on standard error. The
//! only module that prints. A reader that went away ends a command quietly.

use std::fmt::Display;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// Prints a line, or several.
pub(crate) fn say(text: impl Display) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Prints one JSON document.
pub(crate) fn say_json(document: &impl Serialize) -> Result<(), Failure> {
    say(serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?)
}

/// A remark for people. Nobody has to read it.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A table without borders; `rows` may be empty.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec()).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// A JSON value as people read it; nothing for null, empty texts, maps and lists.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => String::new(),
        Value::Object(all) if all.is_empty() => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_table_has_no_borders_and_no_blanks_at_the_ends() {
        let rows = [["1", "done", ""], ["1000", "error", "cpu=2"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        expect![[r#"
            ID    STATUS  NEEDS
            1     done
            1000  error   cpu=2
        "#]]
        .assert_eq(&(table(&["ID", "STATUS", "NEEDS"], rows) + "\n"));
        assert_eq!(table(&["ID", "STATUS"], []), "ID  STATUS");
    }

    #[test]
    fn a_value_is_shown_without_quotes() {
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
