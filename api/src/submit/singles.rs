//! Submissions of single jobs, several in one call of the store. A refused one does not affect the
//! others.

use std::time::Duration;

use domain::job::NewJob;
use store::{Store, StoreError, Submitted, UNKNOWN_USER, submission_steps};
use tokio::time::Instant;

use super::accepted::{Accepted, accepted};
use super::checks::{permits, require_permits};
use super::draft::Draft;
use super::retry::retry_until;
use crate::error::Error;

/// How long a submission may wait for a store that is unavailable.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Submits jobs and answers each, in order.
pub(super) async fn submit(store: Store, drafts: Vec<Draft>) -> Vec<Result<Accepted, Error>> {
    let count = drafts.len();
    let prepared = match prepare(&store, drafts).await {
        Ok(prepared) => prepared,
        Err(error) => return vec![Err(error.into()); count],
    };
    let jobs: Vec<NewJob> = prepared.iter().filter_map(|job| job.as_ref().ok()).cloned().collect();
    let mut answers = Vec::with_capacity(jobs.len());
    for step in submission_steps(&jobs) {
        answers.extend(submit_step(&store, step).await);
    }
    let mut answers = accepted(&store, jobs.into_iter().zip(answers).collect()).await.into_iter();
    let answer = |job: Result<NewJob, Error>| {
        job.and_then(|_| answers.next().unwrap_or(Err(Error::Internal)))
    };
    prepared.into_iter().map(answer).collect()
}

/// Returns the job of each draft, or why it is refused. An error of the store refuses all.
async fn prepare(
    store: &Store,
    drafts: Vec<Draft>,
) -> Result<Vec<Result<NewJob, Error>>, StoreError> {
    let deadline = Instant::now() + TIMEOUT;
    let defaults = retry_until(deadline, || store.action_defaults()).await?;
    let mut jobs: Vec<Result<NewJob, Error>> =
        drafts.into_iter().map(|draft| draft.into_job(&defaults)).collect();
    let valid = || jobs.iter().filter_map(|job| job.as_ref().ok());
    let permits = retry_until(deadline, || permits(store, valid())).await?;
    for job in &mut jobs {
        if let Ok(new) = job
            && let Err(error) = require_permits(new, &permits)
        {
            // A repeated submission is answered like the first one.
            let is_known = retry_until(deadline, || store.is_known(new.id)).await?;
            if !is_known {
                *job = Err(error);
            }
        }
    }
    Ok(jobs)
}

/// Submits the jobs of one step. The script refuses a whole call because of one job.
async fn submit_step(store: &Store, jobs: &[NewJob]) -> Vec<Result<Submitted, Error>> {
    if jobs.is_empty() {
        return Vec::new();
    }
    match call(store, jobs).await {
        Ok(submitted) => submitted.into_iter().map(Ok).collect(),
        // Only the jobs of that submitter are taken apart, so that it does not slow down others.
        Err(StoreError::QuotaExceeded(exceeded)) if jobs.len() > 1 => {
            let is_theirs = |job: &NewJob| {
                job.spec.scheduled_by.as_deref().unwrap_or(UNKNOWN_USER) == exceeded.owner
            };
            let (theirs, others): (Vec<NewJob>, Vec<NewJob>) =
                jobs.iter().cloned().partition(is_theirs);
            let mut others = Box::pin(submit_step(store, &others)).await.into_iter();
            let mut theirs = one_by_one(store, &theirs).await.into_iter();
            let answer = |job| if is_theirs(job) { theirs.next() } else { others.next() };
            jobs.iter().map(answer).map(|one| one.unwrap_or(Err(Error::Internal))).collect()
        }
        Err(error) if !error.is_unavailable() && jobs.len() > 1 => one_by_one(store, jobs).await,
        Err(error) => vec![Err(Error::from(error)); jobs.len()],
    }
}

async fn one_by_one(store: &Store, jobs: &[NewJob]) -> Vec<Result<Submitted, Error>> {
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let answer = call(store, std::slice::from_ref(job)).await.map_err(Error::from);
        answers.push(answer.and_then(|mut one| one.pop().ok_or(Error::Internal)));
    }
    answers
}

/// Submits the jobs in one call. Repeating it is safe, because an existing job is not changed.
async fn call(store: &Store, jobs: &[NewJob]) -> Result<Vec<Submitted>, StoreError> {
    retry_until(Instant::now() + TIMEOUT, || store.submit(jobs)).await
}
