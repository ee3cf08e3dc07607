//! Locks as the API shows them.

use serde::Deserialize;

/// A lock.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Lock {
    pub(crate) name: String,
    /// Null is no limit.
    #[serde(default)]
    pub(crate) permits: Option<u64>,
    #[serde(default)]
    pub(crate) paused: bool,
    #[serde(default)]
    pub(crate) held: u64,
    #[serde(default)]
    pub(crate) holders: Vec<Holder>,
    #[serde(default)]
    pub(crate) waiting: u64,
    /// The first of those in line.
    #[serde(default)]
    pub(crate) line: Vec<Waiter>,
}

/// A job that holds a lock.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Holder {
    #[serde(rename = "jobID")]
    pub(crate) job_id: String,
    #[serde(default)]
    pub(crate) number: u64,
    #[serde(default)]
    pub(crate) action: String,
    #[serde(rename = "workerID", default)]
    pub(crate) worker_id: Option<String>,
    #[serde(default)]
    pub(crate) permits: u64,
    #[serde(default)]
    pub(crate) since: Option<String>,
    #[serde(default)]
    pub(crate) fencing_token: Option<u64>,
    #[serde(default)]
    pub(crate) aborting: bool,
}

/// A job that stands in line.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Waiter {
    #[serde(rename = "jobID")]
    pub(crate) job_id: String,
    #[serde(default)]
    pub(crate) number: u64,
    #[serde(default)]
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) priority: String,
    #[serde(default)]
    pub(crate) permits: u64,
}

/// A page of locks.
#[derive(Debug, Deserialize)]
pub(crate) struct Locks {
    pub(crate) locks: Vec<Lock>,
}
