//! Where the output of a process goes: to a file, to the screen, or to our own output.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinSet;

/// The destination of a process's standard output and standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// Appended to a file.
    File(PathBuf),
    /// Printed to standard output, each line with the name of the process before it.
    Screen,
    /// Inherited: the process prints where this one does.
    Inherit,
}

impl Log {
    /// The last lines of the file; empty for a process that does not log to one.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let Log::File(path) = self else { return Vec::new() };
        let text = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].iter().map(ToString::to_string).collect()
    }

    /// The standard output and standard error for a process that is about to be started.
    pub(crate) fn outputs(&self) -> std::io::Result<(Stdio, Stdio)> {
        Ok(match self {
            Log::File(path) => {
                let file: File = OpenOptions::new().append(true).create(true).open(path)?;
                (file.try_clone()?.into(), file.into())
            }
            Log::Screen => (Stdio::piped(), Stdio::piped()),
            Log::Inherit => (Stdio::inherit(), Stdio::inherit()),
        })
    }
}

/// Copies what a process prints to the screen until it closes its outputs.
pub(crate) fn copy_to_screen(name: &str, child: &mut Child, copies: &mut JoinSet<()>) {
    if let Some(output) = child.stdout.take() {
        copies.spawn(copy(name.to_owned(), output));
    }
    if let Some(output) = child.stderr.take() {
        copies.spawn(copy(name.to_owned(), output));
    }
}

async fn copy(name: String, output: impl AsyncRead + Unpin) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let mut prefixed = format!("{name:<9} | ").into_bytes();
        prefixed.append(&mut line);
        // In one write, so that lines of different processes do not mix. Reading
        // continues if the screen is closed: the process would block on a full pipe.
        let _ = std::io::stdout().lock().write_all(&prefixed);
    }
}
