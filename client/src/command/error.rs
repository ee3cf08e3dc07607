//! Why a command failed.

use std::io;

use crate::error::ClientError;
use crate::escape::escape;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments are not valid.
    #[error("{0}")]
    Usage(String),
    /// A call to the API failed.
    #[error("{}", escape(&.0.to_string()))]
    Api(#[from] ClientError),
    /// The reader of standard output has closed it, as in `capstan jobs list | head`.
    #[error("standard output is closed")]
    OutputClosed,
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> CommandError {
        if error.kind() == io::ErrorKind::BrokenPipe {
            CommandError::OutputClosed
        } else {
            CommandError::Other(error.into())
        }
    }
}
