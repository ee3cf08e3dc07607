//! Submissions of batches: all jobs of a batch, or none.

use std::time::Duration;

use domain::job::NewJob;
use store::{Store, StoreError};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::accepted::{Accepted, accepted};
use super::checks::{check_relations, permits, require_permits};
use super::draft::DraftBatch;
use super::retry::retry_until;
use crate::error::{Error, STORE_UNAVAILABLE};

/// How long a batch may wait for a store that is unavailable.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Submits batches one after the other and answers each.
pub(super) async fn submit(
    store: Store,
    batches: Vec<DraftBatch>,
) -> Vec<Result<Vec<Accepted>, Error>> {
    let mut answers = Vec::with_capacity(batches.len());
    for batch in batches {
        answers.push(submit_one(&store, batch).await);
    }
    answers
}

async fn submit_one(store: &Store, batch: DraftBatch) -> Result<Vec<Accepted>, Error> {
    let deadline = Instant::now() + TIMEOUT;
    let defaults = timeout_at(deadline, retry_until(deadline, || store.action_defaults()));
    let defaults = defaults.await.map_err(|_| STORE_UNAVAILABLE)??;
    let jobs = batch
        .drafts
        .into_iter()
        .enumerate()
        .map(|(index, draft)| draft.into_job(&defaults).map_err(|error| error.in_job(index)));
    let jobs = jobs.collect::<Result<Vec<NewJob>, Error>>()?;
    let checking = timeout_at(deadline, check(store, batch.id, &jobs, deadline));
    checking.await.map_err(|_| STORE_UNAVAILABLE)??;
    // Repeating the call under the same id is safe.
    let deadline = Instant::now() + TIMEOUT;
    let submitted = retry_until(deadline, || store.submit_batch(batch.id, &jobs)).await;
    let submitted = submitted.map_err(in_its_job)?;
    if submitted.len() != jobs.len() {
        return Err(Error::Internal);
    }
    let submitted = jobs.into_iter().zip(submitted.into_iter().map(Ok)).collect();
    let answers = accepted(store, submitted).await.into_iter().enumerate();
    answers.map(|(index, answer)| answer.map_err(|error| error.in_job(index))).collect()
}

/// Refuses a batch if one of its jobs cannot be accepted, unless the batch was accepted before.
async fn check(store: &Store, id: Uuid, jobs: &[NewJob], deadline: Instant) -> Result<(), Error> {
    let checked = async {
        let permits = retry_until(deadline, || permits(store, jobs)).await?;
        for (index, job) in jobs.iter().enumerate() {
            require_permits(job, &permits).map_err(|error| error.in_job(index))?;
        }
        retry_until(deadline, || check_relations(store, jobs)).await.map_err(in_its_job)
    };
    let (Err(error), Some(first)) = (checked.await, jobs.first()) else { return Ok(()) };
    let is_known = retry_until(deadline, || store.is_batch_known(id, first.id)).await?;
    if is_known { Ok(()) } else { Err(error) }
}

/// Converts an error of the store, with the index of the job that caused it.
fn in_its_job(error: StoreError) -> Error {
    let index = if let StoreError::Relation(bad) = &error { Some(bad.index) } else { None };
    let error = Error::from(error);
    match index {
        Some(index) => error.in_job(index),
        None => error,
    }
}
