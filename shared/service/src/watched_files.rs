//! Files that a service reads again when they change, such as tokens and certificates. They are
//! checked every second rather than watched by the kernel, which reports nothing for network file
//! systems and for the symbolic links that orchestrators replace.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time between two checks.
pub const CHECK_PERIOD: Duration = Duration::from_secs(1);

/// Inode, size and modification time; `None` if the file does not exist. A change of the file
/// changes one of them.
type Version = Option<(u64, u64, i64, i64)>;

/// Files, with the version of each at the last check.
#[derive(Debug)]
pub struct WatchedFiles {
    paths: Vec<PathBuf>,
    seen: Vec<Version>,
}

impl WatchedFiles {
    /// Returns files that have not been checked; the first check reports a change.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> WatchedFiles {
        WatchedFiles { paths, seen: Vec::new() }
    }

    /// Returns true if a file has changed since the last check. Call it before you read the files,
    /// so that a change while you read is reported by the next check.
    pub fn have_changed(&mut self) -> bool {
        let now: Vec<Version> = self.paths.iter().map(|path| version(path)).collect();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn version(path: &Path) -> Version {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}
