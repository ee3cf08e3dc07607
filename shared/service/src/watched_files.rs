//! Files that services read again when they change: tokens, certificates. Looked at each second rather than watched by
//! the kernel, which says nothing of network file systems and of the links that orchestrators swap.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at.
pub const PERIOD: Duration = Duration::from_secs(1);

/// What tells one version of a file from the next.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Files, and how they looked when they were last asked about.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    seen: Vec<Stamp>,
}

impl Watched {
    /// Files of which nothing is known: all of them are said to have changed when it is first asked.
    #[must_use]
    pub fn unread(paths: Vec<PathBuf>) -> Watched {
        Watched { paths, seen: Vec::new() }
    }

    /// True when any of them is another than when this was last asked. Call before they are read, so that what changes
    /// meanwhile is read again.
    pub fn changed(&mut self) -> bool {
        let now = stamps(&self.paths);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}
