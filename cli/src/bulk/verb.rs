//! What a bulk operation does.

/// What to do with each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Cancel,
    Retry,
    Delete,
}

impl Verb {
    pub(super) fn word(self) -> &'static str {
        match self {
            Verb::Cancel => "cancel",
            Verb::Retry => "retry",
            Verb::Delete => "delete",
        }
    }

    pub(super) fn imperative(self) -> &'static str {
        match self {
            Verb::Cancel => "Cancel",
            Verb::Retry => "Retry",
            Verb::Delete => "Delete",
        }
    }

    pub(super) fn participle(self) -> &'static str {
        match self {
            Verb::Cancel => "cancelled",
            Verb::Retry => "retried",
            Verb::Delete => "deleted",
        }
    }
}
