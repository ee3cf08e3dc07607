//! The body of every successful response of this surface, `{"status":"success","data":{…}}`. It is
//! not built from a map, because a map would sort its keys.

use serde::Serialize;

use super::job::Job;

/// The body of a successful response.
#[derive(Debug, Serialize)]
pub(super) struct Success<T> {
    status: &'static str,
    data: T,
}

/// A list of jobs, also for a single job.
#[derive(Debug, Serialize)]
pub(super) struct Jobs {
    jobs: Vec<Job>,
}

impl<T> Success<T> {
    /// Creates a body with this data.
    pub(super) fn of(data: T) -> Success<T> {
        Success { status: "success", data }
    }
}

impl Success<Jobs> {
    /// Creates a body with these jobs.
    pub(super) fn jobs(jobs: Vec<Job>) -> Success<Jobs> {
        Success::of(Jobs { jobs })
    }
}
