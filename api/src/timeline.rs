//! Where the time of a job went, over all its attempts: steps, and spans of waiting and running. It
//! is made from the records alone.

mod spans;
mod steps;

use domain::job::{Job, Timestamp};
use store::{Store, StoreError};

pub(crate) use spans::{Spans, Wait};
pub(crate) use steps::{Step, WHAT};

/// How many attempts are shown.
const MOST_ATTEMPTS: usize = 50;

/// The steps of a job, and where its time went.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// The attempts, the first one first.
    pub(crate) attempts: Vec<Attempt>,
    /// The number of further attempts, which are not shown.
    pub(crate) more: u64,
    /// The steps of all attempts, in the order in which they happened.
    pub(crate) steps: Vec<Step>,
    /// The sum of the spans of all attempts.
    pub(crate) spans: Spans,
}

/// An attempt: one record of a chain of retries.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Its record.
    pub(crate) job: Job,
    /// Where its time went.
    pub(crate) spans: Spans,
}

/// Reads the time line of a job.
pub(crate) async fn timeline(store: &Store, job: &Job) -> Result<Timeline, StoreError> {
    let (jobs, total) = store.chain_of(job, MOST_ATTEMPTS).await?;
    let now = store.now().await?;
    let more = total.saturating_sub(jobs.len() as u64);
    Ok(Timeline { more, ..of(jobs, now) })
}

/// Returns the time line of the attempts of a job. Pure.
fn of(jobs: Vec<Job>, now: Timestamp) -> Timeline {
    let mut steps = Vec::new();
    let mut before: Option<&Job> = None;
    for job in &jobs {
        steps.extend(steps::steps(job, before, now));
        before = Some(job);
    }
    // A worker that comes back writes to an attempt that has been followed up.
    steps.sort_by_key(|step| step.at);
    let attempts = jobs.into_iter().map(|job| Attempt { spans: Spans::of(&job, now), job });
    let attempts: Vec<Attempt> = attempts.collect();
    let spans = attempts.iter().fold(Spans::default(), |sum, attempt| sum.plus(attempt.spans));
    Timeline { attempts, more: 0, steps, spans }
}

#[cfg(test)]
mod tests;
