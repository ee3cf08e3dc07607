//! Output: results go to standard output, notes to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::error::CommandError;

/// Prints text and a line break.
pub fn print(text: impl Display) -> Result<(), CommandError> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Prints a JSON document.
pub fn print_json(document: &impl Serialize) -> Result<(), CommandError> {
    print(serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?)
}

/// Prints a note. Ignores errors: the result does not depend on it.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Lays out a table without borders. `rows` may be empty.
#[must_use]
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec()).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_table_has_no_borders_and_no_trailing_spaces() {
        let rows = [["1", "done", ""], ["1000", "error", "cpu=2"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        expect![[r#"
            ID    STATUS  CAPACITY
            1     done
            1000  error   cpu=2
        "#]]
        .assert_eq(&(table(&["ID", "STATUS", "CAPACITY"], rows) + "\n"));
        assert_eq!(table(&["ID", "STATUS"], []), "ID  STATUS");
    }
}
