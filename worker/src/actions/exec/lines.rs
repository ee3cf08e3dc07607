//! Lines that a command says in a pipe of its own, as they come, until it is over and all of them
//! are read.

use std::io;
use std::path::Path;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

/// What one read takes: what is still in the pipe holds back whoever writes.
const READ_BYTES: usize = 4096;

/// The reading end.
pub(super) struct Lines {
    pipe: pipe::Receiver,
    told: Vec<u8>,
    open: bool,
    longest: usize,
}

/// What was read at once.
#[derive(Default)]
pub(super) struct Read {
    /// Whole lines that are not empty, without their ends.
    pub(super) lines: Vec<Vec<u8>>,
    /// A line was longer than any may be; what there was of it is dropped.
    pub(super) too_long: bool,
}

impl Lines {
    /// Of lines that have so many bytes at most.
    pub(super) fn of(pipe: &Path, longest: usize) -> io::Result<Lines> {
        // Open for writing too: the command may open and close it as often as it likes.
        let pipe = pipe::OpenOptions::new().read_write(true).open_receiver(pipe)?;
        Ok(Lines { pipe, told: Vec::new(), open: true, longest })
    }

    /// The next ones; `None` when the command is `over` and there is nothing more.
    pub(super) async fn next(&mut self, over: &CancellationToken) -> Option<Read> {
        if !self.open {
            return None;
        }
        let mut some = [0; READ_BYTES];
        let read = tokio::select! {
            read = self.pipe.read(&mut some) => read.unwrap_or(0),
            // Asked of the kernel itself: the runtime may not have heard yet that there is
            // something to read.
            () = over.cancelled() => nix::unistd::read(&self.pipe, &mut some).unwrap_or(0),
        };
        self.told.extend_from_slice(&some[..read]);
        self.open = read > 0 || !over.is_cancelled();
        if !self.open && !self.told.is_empty() {
            self.told.push(b'\n');
        }
        let mut read = Read::default();
        if let Some(end) = self.told.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.told.split_off(end + 1);
            let told = std::mem::replace(&mut self.told, rest);
            for line in told.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
                read.too_long |= line.len() > self.longest;
                if !line.is_empty() && line.len() <= self.longest {
                    read.lines.push(line.to_vec());
                }
            }
        }
        if self.told.len() > self.longest {
            self.told.clear();
            read.too_long = true;
        }
        Some(read)
    }
}
