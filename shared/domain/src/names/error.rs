//! Why a name or an id is not valid. The text of an error repeats at most 64 characters of the
//! input.

/// A name or an id that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a UUID.
    #[error("{0:?} is not a valid job id: it must be a UUID")]
    JobId(String),
    /// Not the name of an action.
    #[error("{0:?} is not a valid action name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Action(String),
    /// Not the name of a cron.
    #[error("{0:?} is not a valid cron name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Cron(String),
    /// Not the name of a signal.
    #[error("{0:?} is not a valid signal name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Signal(String),
    /// Not the name of a subscription.
    #[error(
        "{0:?} is not a valid subscription name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -"
    )]
    Subscription(String),
    /// Not the id of a worker.
    #[error("{0:?} is not a valid worker id: it must be 12 hexadecimal digits")]
    Worker(String),
}

/// The part of a refused text that an error repeats.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
