//! What an error of the store means to a client.

use store::{RelationProblem, StoreError};

use super::{Error, STORE_FULL, STORE_UNAVAILABLE};

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        if error.is_full() {
            return STORE_FULL;
        }
        if error.is_unavailable() {
            tracing::debug!(%error, "the store did not answer");
            return STORE_UNAVAILABLE;
        }
        match error {
            StoreError::UnreadableRecord { key, why } => {
                tracing::error!(record = key, why, "a record cannot be read");
                Error::Unreadable(key)
            }
            StoreError::TooManyQueues(queue) => Error::TooManyQueues(queue),
            StoreError::OtherRequest(id) => Error::OtherRequest(id),
            StoreError::QuotaExceeded(exceeded) => Error::QuotaExceeded(exceeded),
            StoreError::Relation(bad) => match bad.kind {
                RelationProblem::UnknownDependency | RelationProblem::ForeignDependency => {
                    Error::invalid("dependsOn", bad)
                }
                RelationProblem::UnknownParent | RelationProblem::ParentOver => {
                    Error::invalid("parent", bad)
                }
            },
            StoreError::Redis(_)
            | StoreError::Setting(_)
            | StoreError::Random(_)
            | StoreError::OtherFormat { .. }
            | StoreError::UnusableData(_)
            | StoreError::UnexpectedAnswer { .. } => {
                tracing::error!(%error, "the store gave an unexpected answer");
                Error::Internal
            }
        }
    }
}
