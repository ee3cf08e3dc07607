//! Output: results go to standard output, notes to standard error.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::error::CommandError;
use crate::escape::{escape, escape_json, escape_lines};

/// Prints text and a line break. Of the control characters in it, it prints only line breaks and
/// tabs; the others are escaped.
pub fn print(text: impl Display) -> Result<(), CommandError> {
    write_line(&escape_lines(&text.to_string()))
}

/// Prints text for programs. To a terminal, as [`print`] does; to a file or a pipe, as it is.
pub fn print_data(text: &str) -> Result<(), CommandError> {
    if io::stdout().is_terminal() { print(text) } else { write_line(text) }
}

/// Prints a line of a log, which may contain anything. Anywhere but on a terminal it is printed as
/// it is, and also there if `raw` is set.
pub fn print_log_line(text: &str, raw: bool) -> Result<(), CommandError> {
    write_line(&log_line(text, raw || !io::stdout().is_terminal()))
}

fn log_line(text: &str, as_is: bool) -> Cow<'_, str> {
    if as_is { text.into() } else { escape_lines(text) }
}

/// Prints a JSON document.
pub fn print_json(document: &impl Serialize) -> Result<(), CommandError> {
    print_json_text(&serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?)
}

/// Prints the text of a JSON document.
pub fn print_json_text(text: &str) -> Result<(), CommandError> {
    write_line(&escape_json(text))
}

fn write_line(text: &str) -> Result<(), CommandError> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Clears the terminal, if standard output is one.
pub fn clear_screen() -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        write!(stdout, "\x1b[H\x1b[2J")?;
    }
    Ok(())
}

/// Prints a note. Ignores errors: the result does not depend on it.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", escape_lines(&text.to_string()));
}

/// Shows how far a command is, on a line that the next call replaces. Only a terminal shows it.
pub fn progress(text: impl Display) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r{text}\x1b[K");
        let _ = stderr.flush();
    }
}

/// Lays out a table without borders. `rows` may be empty. Control characters in cells are escaped,
/// so a row is one line.
#[must_use]
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    let rows = rows.into_iter().map(|row| row.into_iter().map(|cell| escape(&cell).into_owned()));
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
    fn a_cell_cannot_forge_a_row() {
        let rows = [vec!["a\n2  done".to_owned(), "\u{202e}x\u{1b}[2J".to_owned()]];
        let shown = table(&["ID", "STATUS"], rows);
        assert_eq!(shown, "ID          STATUS\na\\n2  done  \\u{202e}x\\x1b[2J");
    }

    #[test]
    fn a_log_line_is_escaped_on_a_terminal_unless_it_is_to_be_raw() {
        let line = "\ta\u{1b}[2J";
        assert_eq!(log_line(line, true), line);
        assert_eq!(log_line(line, false), "\ta\\x1b[2J");
    }

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
