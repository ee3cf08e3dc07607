//! What every good answer of this surface is, `{"status":"success","data":{…}}`, in the order of the reference: nothing
//! here goes through a map, which would sort it.

use serde::Serialize;

use super::job::Job;

/// An answer.
#[derive(Debug, Serialize)]
pub(super) struct Success<T> {
    status: &'static str,
    data: T,
}

/// Jobs, also when it is one.
#[derive(Debug, Serialize)]
pub(super) struct Jobs {
    jobs: Vec<Job>,
}

impl<T> Success<T> {
    /// The answer with this in it.
    pub(super) fn of(data: T) -> Success<T> {
        Success { status: "success", data }
    }
}

impl Success<Jobs> {
    /// The answer with these jobs.
    pub(super) fn jobs(jobs: Vec<Job>) -> Success<Jobs> {
        Success::of(Jobs { jobs })
    }
}
