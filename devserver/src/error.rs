//! What can go wrong while processes are started and watched.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// A failure to start the processes or to keep them running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Programs are missing on this machine.
    #[error("not installed: {0}; install with: sudo apt-get install {0}", .packages.join(" "))]
    NotInstalled {
        /// The Debian packages that contain them.
        packages: Vec<&'static str>,
    },

    /// Another development server uses the folder.
    #[error("{} is in use by another development server; stop that one first", .folder.display())]
    FolderInUse {
        /// The data folder.
        folder: PathBuf,
    },

    /// A process ended that should have kept running.
    #[error("{process} ended unexpectedly ({status})")]
    Ended {
        /// The name of the process.
        process: String,
        /// How it ended.
        status: ExitStatus,
    },

    /// A process did not become ready in time.
    #[error("{process} did not become ready within {} s", .limit.as_secs())]
    NotReady {
        /// The name of the process.
        process: String,
        /// How long it had.
        limit: Duration,
    },

    /// The operating system refused an operation.
    #[error("cannot {operation}")]
    Io {
        /// What was tried, as a verb and its object.
        operation: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// The process that failed, whose log says more.
    #[must_use]
    pub fn process(&self) -> Option<&str> {
        match self {
            Error::Ended { process, .. } | Error::NotReady { process, .. } => Some(process),
            Error::NotInstalled { .. } | Error::FolderInUse { .. } | Error::Io { .. } => None,
        }
    }

    /// Adds what was tried to an error of the operating system.
    pub(crate) fn io(operation: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { operation: operation.into(), source }
    }
}
