//! Lines that a command writes to a named pipe, until the command has ended and every line is read.

use std::io;
use std::path::Path;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

/// How much one read takes. What stays in the pipe blocks the writer.
const READ_BYTES: usize = 4096;

/// Reads lines from a named pipe.
pub(super) struct PipeLines {
    pipe: pipe::Receiver,
    buffer: Vec<u8>,
    open: bool,
    max_line_bytes: usize,
}

/// The lines of one read.
#[derive(Default)]
pub(super) struct Lines {
    /// Complete lines that are not blank, without their ends.
    pub(super) lines: Vec<Vec<u8>>,
    /// Whether a line was too long; it is dropped.
    pub(super) too_long: bool,
}

impl PipeLines {
    pub(super) fn open(pipe: &Path, max_line_bytes: usize) -> io::Result<PipeLines> {
        // Opened for writing too, so that the command may open and close it repeatedly.
        let pipe = pipe::OpenOptions::new().read_write(true).open_receiver(pipe)?;
        Ok(PipeLines { pipe, buffer: Vec::new(), open: true, max_line_bytes })
    }

    /// Returns the next lines, or `None` when the command is `over` and all lines were returned.
    pub(super) async fn next(&mut self, over: &CancellationToken) -> Option<Lines> {
        if !self.open {
            return None;
        }
        self.buffer.reserve(READ_BYTES);
        let mut part = (&mut self.pipe).take(READ_BYTES as u64);
        let count = tokio::select! {
            read = part.read_buf(&mut self.buffer) => read.unwrap_or(0),
            () = over.cancelled() => self.read_now(),
        };
        self.open = count > 0 || !over.is_cancelled();
        if !self.open && !self.buffer.is_empty() {
            self.buffer.push(b'\n');
        }
        Some(self.take_lines())
    }

    /// Reads what is in the pipe. The runtime may not know yet that it is readable, so this asks the
    /// kernel.
    fn read_now(&mut self) -> usize {
        let mut bytes = [0; READ_BYTES];
        let count = nix::unistd::read(&self.pipe, &mut bytes).unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..count]);
        count
    }

    fn take_lines(&mut self) -> Lines {
        let mut taken = Lines::default();
        if let Some(end) = self.buffer.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.buffer.split_off(end + 1);
            let complete = std::mem::replace(&mut self.buffer, rest);
            for line in complete.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
                taken.too_long |= line.len() > self.max_line_bytes;
                if !line.is_empty() && line.len() <= self.max_line_bytes {
                    taken.lines.push(line.to_vec());
                }
            }
        }
        if self.buffer.len() > self.max_line_bytes {
            self.buffer.clear();
            taken.too_long = true;
        }
        taken
    }
}
