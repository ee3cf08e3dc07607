//! What can go wrong in a call to the store, and what a caller can do about it.

use std::fmt;

use redis::{ErrorKind, ServerErrorKind};

use domain::job::JobId;
use domain::settings::InvalidSetting;

use crate::quota::QuotaExceeded;

/// A call to the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Redis is unreachable, slow or full, or cannot carry out any call now.
    #[error("{}", unavailable(.0))]
    Redis(#[source] redis::RedisError),
    /// The change was made, but too few replicas have it: a failover now would lose it.
    #[error("the change is on {found} of {wanted} replicas: it may be lost, or may take effect")]
    NotReplicated {
        /// How many replicas must have it.
        wanted: u8,
        /// How many have it.
        found: u64,
    },
    /// Redis cannot carry out this call on what it holds, and will not until that is repaired.
    #[error("redis cannot carry out a call on what it holds: {0}")]
    UnusableData(#[source] redis::RedisError),
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
        /// Their format; 0 if it predates format numbers.
        found: u32,
        /// The format of this build.
        needed: u32,
    },
    /// A setting of the store is not valid.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// The idempotency key of a submission was used for another request, which this job answers.
    #[error("the idempotency key was used for another request, of job {0}")]
    OtherRequest(JobId),
    /// A submission names another job that it must not name.
    #[error("{0}")]
    Relation(#[from] InvalidRelation),
    /// An owner would have more jobs waiting than it may have.
    #[error("{0}")]
    QuotaExceeded(#[from] QuotaExceeded),
}

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Retry: the same call may succeed later.
    Unavailable,
    /// Report it: the same call fails again.
    Rejected,
    /// Set this one record aside and continue with the others: the same call fails again until the
    /// record is repaired.
    Unreadable,
}

impl StoreError {
    /// Returns what a caller can do about this error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            StoreError::Redis(_) | StoreError::NotReplicated { .. } => ErrorClass::Unavailable,
            StoreError::UnusableData(_)
            | StoreError::UnexpectedAnswer { .. }
            | StoreError::UnreadableRecord { .. } => ErrorClass::Unreadable,
            StoreError::TooManyQueues(_)
            | StoreError::OtherFormat { .. }
            | StoreError::Random(_)
            | StoreError::Setting(_)
            | StoreError::OtherRequest(_)
            | StoreError::Relation(_)
            | StoreError::QuotaExceeded(_) => ErrorClass::Rejected,
        }
    }

    /// True when Redis has refused the call because its memory is used up.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Redis(error) if is_out_of_memory(error))
    }

    /// True when the same call may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.class() == ErrorClass::Unavailable
    }

    /// The error of reading this record.
    pub(crate) fn of_record(key: String, error: redis::RedisError) -> StoreError {
        if fails_again(&error) {
            StoreError::unreadable(key, error)
        } else {
            StoreError::Redis(error)
        }
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
         {needed}: let its jobs end with the earlier build; if it is refused then, use another \
         namespace"
    )
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> StoreError {
        if fails_again(&error) { StoreError::UnusableData(error) } else { StoreError::Redis(error) }
    }
}

/// Returns why Redis has not carried out a call.
fn unavailable(error: &redis::RedisError) -> String {
    let full = if is_out_of_memory(error) { "the store is full: " } else { "" };
    format!("{full}redis: {error}")
}

/// True for the refusal of a call whose memory Redis does not have.
fn is_out_of_memory(error: &redis::RedisError) -> bool {
    error.code() == Some("OOM")
}

/// True for an error that the same call gives until what Redis holds is repaired: a key of the
/// wrong type, a failed step of a script, or an answer that does not have the expected form.
///
/// Only known errors count. Any other may be an outage, and giving up a call that an outage
/// interrupts loses what it should record.
fn fails_again(error: &redis::RedisError) -> bool {
    if matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse) {
        return true;
    }
    // Redis adds the name of the script to the errors of its steps. A step that is refused because
    // of the state of the server, such as OOM or READONLY, has that as its code.
    let text = error.to_string();
    let wrong_type = error.code() == Some("WRONGTYPE") || text.contains("WRONGTYPE");
    let step_failed = error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
        && text.contains("user_script:")
        && !text.contains("Script killed");
    wrong_type || step_failed
}

/// Returns which of the two limits a queue would exceed, and what to do about it.
fn too_many_queues(queue: &str) -> String {
    let action = queue.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.'));
    match action {
        None => format!(
            "queue {queue:?} would exceed the limit of 256 shared queues of a namespace, or of 128 of \
             one submitter: use fewer different capacity maps; unused queues are removed after 10 \
             minutes"
        ),
        Some((action, _)) => format!(
            "queue {queue:?} would exceed the limit of 1024 queues of single actions of a \
             namespace, or of 512 of one submitter: use fewer different capacity maps, or declare action {action} on every \
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
    /// The parent does not exist.
    UnknownParent,
    /// The parent is over or being stopped.
    ParentOver,
}

impl fmt::Display for RelationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelationProblem::UnknownDependency | RelationProblem::UnknownParent => {
                "there is no job"
            }
            RelationProblem::ForeignDependency => {
                "a child may depend only on its siblings and on jobs that are over, not on job"
            }
            RelationProblem::ParentOver => "a parent must not be over or being stopped, as is job",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that Redis reports with this text.
    fn reported(text: &str) -> StoreError {
        let bytes = format!("-{text}\r\n");
        redis::parse_redis_value(bytes.as_bytes()).unwrap().extract_error().unwrap_err().into()
    }

    #[test]
    fn only_an_error_of_the_data_is_given_again_by_the_same_call() {
        let at = "script: d6cdca1, on @user_script:2.";
        let of_the_data = [
            "WRONGTYPE Operation against a key holding the wrong kind of value".to_owned(),
            format!("WRONGTYPE Operation against a key holding the wrong kind of value {at}"),
            format!("ERR user_script:2: attempt to perform arithmetic on a nil value {at}"),
            format!("ERR value is not an integer or out of range {at}"),
        ];
        for text in of_the_data {
            assert_eq!(reported(&text).class(), ErrorClass::Unreadable, "{text}");
        }
        let of_the_server = [
            "LOADING Redis is loading the dataset in memory".to_owned(),
            "BUSY Redis is busy running a script".to_owned(),
            "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
            format!("OOM command not allowed when used memory > 'maxmemory'. {at}"),
            format!("READONLY You can't write against a read only replica. {at}"),
            "MISCONF Redis is configured to save RDB snapshots".to_owned(),
            "NOREPLICAS Not enough good replicas to write.".to_owned(),
            "CLUSTERDOWN The cluster is down".to_owned(),
            "NOAUTH Authentication required.".to_owned(),
            format!("NOPERM ACL failure in script: no permissions {at}"),
            "ERR max number of clients reached".to_owned(),
            format!("ERR user_script:1: Script killed by user with SCRIPT KILL. {at}"),
        ];
        for text in of_the_server {
            assert_eq!(reported(&text).class(), ErrorClass::Unavailable, "{text}");
        }
    }

    #[test]
    fn a_full_redis_is_reported_as_a_full_store() {
        let full = "OOM command not allowed when used memory > 'maxmemory'.";
        for text in [full.to_owned(), format!("{full} script: d6cdca1, on @user_script:2.")] {
            let error = reported(&text);
            assert!(error.is_full() && error.to_string().starts_with("the store is full: redis:"));
        }
        let other = reported("LOADING Redis is loading the dataset in memory");
        assert!(!other.is_full() && other.to_string().starts_with("redis:"), "{other}");
    }

    #[test]
    fn a_connection_that_fails_is_unavailable_and_an_answer_of_another_form_is_unreadable() {
        let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(StoreError::from(redis::RedisError::from(cut)).is_unavailable());
        let wrong = redis::from_redis_value::<u64>(redis::Value::Array(Vec::new())).unwrap_err();
        assert_eq!(
            StoreError::from(redis::RedisError::from(wrong)).class(),
            ErrorClass::Unreadable
        );
    }
}
