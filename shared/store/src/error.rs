//! What can go wrong in a call to the store, and what a caller can do about it.

use std::fmt;

use domain::job::JobId;
use domain::settings::InvalidSetting;

/// A call to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Redis is unreachable, slow or full, or refused the call.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// A script gave an answer that its header does not list.
    #[error("script {script} answered {answer}, which its header does not list")]
    UnexpectedAnswer {
        /// The script's verb.
        script: &'static str,
        /// The answer.
        answer: String,
    },
    /// A record does not hold what it should.
    #[error("{key} cannot be read: {why}")]
    UnreadableRecord {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The namespace has as many queues as it may have.
    #[error("{}", too_many_queues(.0))]
    TooManyQueues(String),
    /// The system has no randomness to make a secret of.
    #[error("cannot make a secret: {0}")]
    Random(std::io::Error),
    /// The keys of the namespace have the format of another build.
    #[error("{}", other_format(*.found, *.needed))]
    OtherFormat {
        /// Their format; 0 before formats had numbers.
        found: u32,
        /// The format of this build.
        needed: u32,
    },
    /// A setting of the store is not valid.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A submission names another job that it must not name.
    #[error("{0}")]
    Relation(#[from] InvalidRelation),
}

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Retry: the same call may succeed later.
    Unavailable,
    /// Report it: the same call fails again.
    Rejected,
    /// Set this one record aside and continue with the others.
    Unreadable,
}

impl StoreError {
    /// Returns what a caller can do about this error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            StoreError::Redis(_) => ErrorClass::Unavailable,
            StoreError::UnexpectedAnswer { .. } | StoreError::UnreadableRecord { .. } => {
                ErrorClass::Unreadable
            }
            StoreError::TooManyQueues(_)
            | StoreError::OtherFormat { .. }
            | StoreError::Random(_)
            | StoreError::Setting(_)
            | StoreError::Relation(_) => ErrorClass::Rejected,
        }
    }

    /// True when the same call may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.class() == ErrorClass::Unavailable
    }

    /// The error for a record that does not hold what it should.
    pub(crate) fn unreadable(key: impl Into<String>, why: impl fmt::Display) -> StoreError {
        StoreError::UnreadableRecord { key: key.into(), why: why.to_string() }
    }
}

/// Returns which build the namespace belongs to, and what to do about it.
fn other_format(found: u32, needed: u32) -> String {
    if found > needed {
        return format!(
            "the namespace has format {found}, and this build needs format {needed}: start a newer \
             build, or use another namespace"
        );
    }
    format!(
        "the namespace has format {found} of an earlier build, and this build needs format \
         {needed}: let its jobs end with the earlier build, then use another namespace"
    )
}

/// Returns which of the two limits a queue would exceed, and what to do about it.
fn too_many_queues(queue: &str) -> String {
    let action = queue.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.'));
    match action {
        None => format!(
            "queue {queue:?} would exceed the limit of 256 shared queues of a namespace: use fewer \
             different capacity maps; unused queues are removed after 10 minutes"
        ),
        Some((action, _)) => format!(
            "queue {queue:?} would exceed the limit of 1024 queues of single actions of a \
             namespace: use fewer different capacity maps, or declare action {action} on every \
             worker; unused queues are removed after 10 minutes"
        ),
    }
}

/// A submission names a job that it must not name; nothing was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {id}")]
pub struct InvalidRelation {
    /// What is wrong.
    pub kind: RelationProblem,
    /// The index of the submitted job, from 0.
    pub index: usize,
    /// The job that it names.
    pub id: JobId,
}

/// What is wrong with a job that another one names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationProblem {
    /// The dependency does not exist.
    UnknownDependency,
    /// The job is a child, and the dependency is neither a sibling nor over.
    ForeignDependency,
    /// The parent is over, is being stopped, or does not exist.
    ParentOver,
}

impl fmt::Display for RelationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelationProblem::UnknownDependency => "there is no job",
            RelationProblem::ForeignDependency => {
                "a child may depend only on its siblings and on jobs that are over, not on job"
            }
            RelationProblem::ParentOver => "a parent must not be over or being stopped, as is job",
        })
    }
}
