//! How a command ends: what scripts learn from the exit code, and what people learn from the
//! message.

use std::fmt;
use std::io;

/// The exit code of a wrong command line.
pub(crate) const USAGE: u8 = 2;

/// A command that did what it was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All is well.
    Well,
    /// What it looked at is not well: a job did not end as done, a health check failed.
    Badly,
}

impl Ending {
    /// Well when nothing is bad.
    pub(crate) fn well_if(well: bool) -> Ending {
        if well { Ending::Well } else { Ending::Badly }
    }

    /// What scripts see.
    pub(crate) fn code(self) -> u8 {
        match self {
            Ending::Well => 0,
            Ending::Badly => 1,
        }
    }
}

/// A command that could not do what it was told to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments cannot be meant so.
    #[error("{0}")]
    Usage(String),
    /// The API answered that it will not.
    #[error("{0}")]
    Refused(Refusal),
    /// Nobody answers, or says to come later, or speaks another language.
    #[error("{0}")]
    Away(String),
    /// The time that was given for a wait is over.
    #[error("{0}")]
    Late(String),
    /// Whoever read our output has closed it: `capstan jobs list | head`.
    #[error("the reader of the output is gone")]
    ReaderGone,
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// What scripts see.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::ReaderGone => 0,
            Failure::Other(_) => 1,
            Failure::Usage(_) => USAGE,
            Failure::Refused(_) => 3,
            Failure::Away(_) => 4,
            Failure::Late(_) => 5,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ReaderGone
        } else {
            Failure::Other(error.into())
        }
    }
}

/// What the API said when it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// A word for the kind, `NO_SUCH_JOB`.
    pub(crate) code: String,
    /// One sentence for people.
    pub(crate) message: String,
    /// The field that was wrong, where one was.
    pub(crate) field: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API refused ({} {}): {}", self.status, self.code, self.message)?;
        match &self.field {
            Some(field) if !self.message.contains(field) => write!(f, " (field {field})"),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_the_exit_code_that_the_help_names() {
        let refusal = Refusal {
            status: 400,
            code: "INVALID_PARAMETERS".into(),
            message: "it must be a whole number".into(),
            field: Some("retries".into()),
        };
        let cases = [
            (Failure::Usage("x".into()), 2),
            (Failure::Refused(refusal.clone()), 3),
            (Failure::Away("x".into()), 4),
            (Failure::Late("x".into()), 5),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 0),
            (io::Error::from(io::ErrorKind::StorageFull).into(), 1),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
        assert_eq!((Ending::Well.code(), Ending::well_if(false).code()), (0, 1));
        let text = "the API refused (400 INVALID_PARAMETERS): it must be a whole number";
        assert_eq!(refusal.to_string(), format!("{text} (field retries)"));
        let refusal = Refusal { field: Some("number".into()), ..refusal };
        assert_eq!(refusal.to_string(), text);
    }
}
