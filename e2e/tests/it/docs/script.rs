//! A page as one Bash script: its blocks in order, in one shell, so that a variable assigned in one
//! block is there in the next. An unset variable or a failing command ends it.

use std::fmt::Write as _;
use std::path::Path;

use super::block::Kind;
use super::markdown::{Block, Document};

/// What a page becomes.
pub(super) struct Script {
    /// The Bash script.
    pub(super) text: String,
    /// Files that it reads, by name.
    pub(super) files: Vec<(String, String)>,
    /// What commands are expected to print, by the file that has their output.
    pub(super) expected: Vec<Expected>,
}

/// The output that a page shows for a command.
pub(super) struct Expected {
    /// The line of the command on its page.
    pub(super) line: usize,
    /// The file with the actual output.
    pub(super) file: String,
    /// The lines on the page.
    pub(super) output: String,
}

/// The services' own variables, which a reader of the page does not have.
const PREAMBLE: &str = r#"set -euo pipefail
unset CAPSTAN_REDIS_URL CAPSTAN_AMQP_URL CAPSTAN_NAMESPACE CAPSTAN_LOG
exec 8>&1 9>&2
__end() {
  local code=$? command=$BASH_COMMAND
  [ "$code" = 0 ] && return
  exec >&9 2>&9
  echo "$__page:$__line: exit code $code of $command"
  [ ! -e "$__files/$__line.out" ] || cat "$__files/$__line.out"
}
trap __end EXIT
trap 'exit 143' TERM
"#;

impl Script {
    /// Makes the script of a page, for which `files` is the folder of its files.
    pub(super) fn of(document: &Document, files: &Path) -> Script {
        let mut script =
            Script { text: PREAMBLE.to_owned(), files: Vec::new(), expected: Vec::new() };
        let (page, files) = (document.path.display(), files.display());
        script.say(format_args!("__page='{page}' __files='{files}' __line=0"));
        for block in document.blocks() {
            let Ok(kind) = Kind::of(&block) else { continue };
            script.say(format_args!("__line={}", block.line));
            script.add(&kind, &block);
        }
        script.say(format_args!("exec >/dev/null\ncapstan jobs cancel --all --yes"));
        script
    }

    fn add(&mut self, kind: &Kind, block: &Block) {
        let line = block.line;
        match kind {
            Kind::Shell => self.text.push_str(&block.text),
            Kind::Console => self.add_console(block),
            Kind::Job => self.post("jobs", block),
            Kind::Batch => self.post("jobs/batch", block),
            Kind::Actions => self.add_to("actions.toml", &block.text),
            Kind::Crons => self.add_to("crons.toml", &block.text),
            Kind::Fragment => {
                self.files.push((format!("{line}.sh"), block.text.clone()));
                self.say(format_args!("bash -n \"$__files/{line}.sh\""));
            }
            Kind::NoRun | Kind::Json | Kind::Rust | Kind::Excerpt(_) | Kind::Text => {}
        }
    }

    /// Runs each command with its output in a file of its own.
    fn add_console(&mut self, block: &Block) {
        for (offset, text) in block.text.lines().enumerate() {
            let line = block.line + 1 + offset;
            if let Some(command) = text.strip_prefix("$ ") {
                let file = format!("{line}.out");
                self.say(format_args!("__line={line}\nexec >\"$__files/{file}\" 2>&1\n{command}"));
                self.say(format_args!("exec >&8 2>&9"));
                self.expected.push(Expected { line, file, output: String::new() });
            } else if let Some(last) = self.expected.last_mut() {
                last.output.push_str(text);
                last.output.push('\n');
            }
        }
    }

    fn post(&mut self, path: &str, block: &Block) {
        let name = format!("{}.json", block.line);
        self.say(format_args!(
            "curl -sS --fail-with-body -o \"$__files/$__line.out\" \"$CAPSTAN_API/api/v0/{path}\" \
             --json @\"$__files/{name}\""
        ));
        self.files.push((name, block.text.clone()));
    }

    fn add_to(&mut self, name: &str, text: &str) {
        match self.files.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => before.push_str(text),
            None => self.files.push((name.to_owned(), text.to_owned())),
        }
    }

    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{line}");
    }
}

/// Whether the output is what the page shows: `…` stands for any text, and a line of nothing else for
/// any number of lines.
pub(super) fn matches(expected: &str, output: &str) -> bool {
    let expected: Vec<&str> = expected.lines().map(str::trim_end).collect();
    let output: Vec<&str> = output.lines().map(str::trim_end).collect();
    match_all(
        &expected,
        &output,
        |line| *line == "…",
        |expected, output| {
            let parts: Vec<char> = expected.chars().collect();
            let letters: Vec<char> = output.chars().collect();
            match_all(&parts, &letters, |letter| *letter == '…', |one, other| one == other)
        },
    )
}

/// Whether `found` is `wanted`, in which a wildcard stands for any number of items.
fn match_all<T>(
    wanted: &[T],
    found: &[T],
    is_wildcard: fn(&T) -> bool,
    same: fn(&T, &T) -> bool,
) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if is_wildcard(first) => {
            (0..=found.len()).any(|from| match_all(rest, &found[from..], is_wildcard, same))
        }
        Some((first, rest)) => found.split_first().is_some_and(|(item, others)| {
            same(first, item) && match_all(rest, others, is_wildcard, same)
        }),
    }
}

#[test]
fn an_ellipsis_stands_for_text_and_for_lines() {
    for (expected, output, matching) in [
        ("a … c\n", "a b c\n", true),
        ("a … c\n", "a b d\n", false),
        ("a\n…\nd\n", "a\nb\nc\nd\n", true),
        ("a\n…\nd\n", "a\nd\n", true),
        ("a\n", "a\nb\n", false),
        ("", "", true),
        ("", "a\n", false),
        ("… done\n", "8e0 done  \n", true),
    ] {
        assert_eq!(matches(expected, output), matching, "{expected:?} {output:?}");
    }
}
