//! The clock of a Redis process, which a test can set while the process runs.

use std::path::{Path, PathBuf};

use devserver::Process;

/// Preloads libfaketime, of the Debian package `libfaketime`. The C library comes right after it:
/// libfaketime allocates memory when it begins, and the allocator of Redis asks for the time when
/// it begins.
const PRELOAD: &str = "/usr/$LIB/faketime/libfaketime.so.1 libc.so.6";

/// The clock of one process.
#[derive(Debug)]
pub struct FakeClock {
    file: PathBuf,
}

impl FakeClock {
    /// Creates a clock that is right. Its state is a file in a folder.
    #[must_use]
    pub fn new(folder: &Path) -> FakeClock {
        let clock = FakeClock { file: folder.join("clock") };
        clock.set(0);
        clock
    }

    /// Lets a process that is not started yet read this clock.
    #[must_use]
    pub fn of(&self, process: Process) -> Process {
        process
            .with_variable("LD_PRELOAD", PRELOAD)
            .with_variable("FAKETIME_TIMESTAMP_FILE", &self.file)
            .with_variable("FAKETIME_NO_CACHE", "1")
    }

    /// Sets the clock to the right time and some seconds more, or less.
    pub fn set(&self, seconds: i64) {
        // The process may read the file at any moment, so it is replaced as a whole.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}")).expect("the folder is writable");
        std::fs::rename(&new, &self.file).expect("the folder is writable");
    }
}
