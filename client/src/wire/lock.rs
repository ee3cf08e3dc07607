//! Locks, the jobs that hold them, and the jobs that wait for them.

use serde::Deserialize;

/// A lock.
#[derive(Debug, Clone, Deserialize)]
pub struct Lock {
    /// Its name.
    pub name: String,
    /// How many permits it has; `None` is no limit.
    #[serde(default)]
    pub permits: Option<u64>,
    /// True while it is granted to no job.
    #[serde(default)]
    pub paused: bool,
    /// How many permits are held.
    #[serde(default)]
    pub held: u64,
    /// The jobs that hold it.
    #[serde(default)]
    pub holders: Vec<Holder>,
    /// How many jobs wait for it.
    #[serde(default)]
    pub waiting: u64,
    /// The first jobs that wait for it.
    #[serde(default)]
    pub waiters: Vec<Waiter>,
}

/// A job that holds a lock.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The job's id.
    #[serde(rename = "jobID")]
    pub job_id: String,
    /// The job's number.
    #[serde(default)]
    pub number: u64,
    /// The job's action.
    #[serde(default)]
    pub action: String,
    /// The worker that runs the job.
    #[serde(rename = "workerID", default)]
    pub worker_id: Option<String>,
    /// How many permits it holds.
    #[serde(default)]
    pub permits: u64,
    /// When it was granted the lock.
    #[serde(default)]
    pub since: Option<String>,
    /// The fencing token of the job's run.
    #[serde(default)]
    pub fencing_token: Option<u64>,
    /// True when the job has been asked to stop.
    #[serde(default)]
    pub aborting: bool,
}

/// A job that waits for a lock.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiter {
    /// The job's id.
    #[serde(rename = "jobID")]
    pub job_id: String,
    /// The job's number.
    #[serde(default)]
    pub number: u64,
    /// The job's action.
    #[serde(default)]
    pub action: String,
    /// The job's priority.
    #[serde(default)]
    pub priority: String,
    /// How many permits it needs.
    #[serde(default)]
    pub permits: u64,
}
