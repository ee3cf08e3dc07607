//! Which lines of a log are printed, and how.

use clap::Args;
use client::command::{CommandError, print_json_text, print_log_line};
use client::wire::LogLine;
use serde_json::Value;

/// The flags that apply to each line.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct LineFormat {
    /// Only lines from standard error
    #[arg(long)]
    stderr: bool,

    /// Print the time of each line
    #[arg(long)]
    timestamps: bool,

    /// Print control characters to a terminal as they are, for example colours
    #[arg(long)]
    raw: bool,

    /// Print the API's answer as JSON; with --follow, one document per line
    #[arg(long)]
    pub(super) json: bool,
}

impl LineFormat {
    /// True if the line is to be printed.
    pub(super) fn selects(self, line: &LogLine) -> bool {
        !self.stderr || line.source == "stderr"
    }

    /// Prints a line, of which the API sent `document`.
    pub(super) fn print(self, line: &LogLine, document: &Value) -> Result<(), CommandError> {
        if self.json {
            return print_json_text(&document.to_string());
        }
        print_log_line(&self.text(line), self.raw)
    }

    fn text(self, line: &LogLine) -> String {
        if self.timestamps {
            format!("{:<24} {}", line.at, line.text())
        } else {
            line.text().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use serde_json::json;

    #[test]
    fn lines_are_selected_by_their_source_and_may_begin_with_their_time() {
        let line = |source: &str, at: &str| {
            let line = json!({"data": "hello\n", "lineNum": 1, "at": at, "source": source});
            serde_json::from_value::<LogLine>(line).unwrap()
        };
        let (out, err) = ("2026-11-20T16:30:00Z", "2026-11-20T16:30:00.125Z");
        let (out, err) = (line("stdout", out), line("stderr", err));
        let all: LineFormat = arguments(&[]).unwrap();
        assert!(all.selects(&out) && all.selects(&err));
        assert_eq!(all.text(&out), "hello");
        let some: LineFormat = arguments(&["--stderr", "--timestamps"]).unwrap();
        assert!(!some.selects(&out) && some.selects(&err));
        assert_eq!(some.text(&out), "2026-11-20T16:30:00Z     hello");
        assert_eq!(some.text(&err), "2026-11-20T16:30:00.125Z hello");
    }
}
