//! Operations on a job: cancel, retry, delete.

use domain::job::{Cancellation, Job, JobId, Status};
use store::{CancelAnswer, DeleteAnswer, RetryAnswer};

use super::deliveries::check_job;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;

/// Cancels a job. A finished job does not change.
pub(crate) async fn cancel(app: &App, caller: &Caller, id: JobId) -> Result<(), Error> {
    check_job(&app.store, caller, id).await?;
    match app.store.cancel(&[id], &requested_by(caller)).await?[..] {
        [CancelAnswer::Requested(_) | CancelAnswer::Already(_)] => Ok(()),
        [CancelAnswer::Gone] => Err(Error::NoSuchJob(id.to_string())),
        _ => Err(Error::Internal),
    }
}

/// Returns the cancellation of a job by this caller.
pub(crate) fn requested_by(caller: &Caller) -> Cancellation {
    Cancellation { by: caller.name().to_owned(), reason: String::new() }
}

/// Retries a finished job and returns the new job.
pub(crate) async fn retry(app: &App, caller: &Caller, id: JobId) -> Result<Job, Error> {
    check_job(&app.store, caller, id).await?;
    let new = JobId::random();
    let refused = match app.store.retry(id, new).await? {
        RetryAnswer::Created => {
            let job = app.store.job(new).await?.ok_or_else(|| Error::NoSuchJob(new.to_string()))?;
            app.metrics.submitted(1);
            caller.set_subject(new);
            return Ok(job);
        }
        RetryAnswer::Followed(follow_up) => Error::AlreadyRetried { id, follow_up },
        RetryAnswer::Taken(holder) => Error::UniqueKeyTaken { id, holder },
        RetryAnswer::Refused(status) => Error::NotFinished { id, status },
        RetryAnswer::Gone => Error::NoSuchJob(id.to_string()),
    };
    Err(refused)
}

/// Deletes a job and its log; a running job when it has stopped.
pub(crate) async fn delete(app: &App, caller: &Caller, id: JobId) -> Result<(), Error> {
    check_job(&app.store, caller, id).await?;
    match app.store.delete(id).await? {
        DeleteAnswer::Deleted | DeleteAnswer::Requested => Ok(()),
        DeleteAnswer::Gone if app.store.status(id).await? == Some(Status::Deleted) => Ok(()),
        DeleteAnswer::Gone => Err(Error::NoSuchJob(id.to_string())),
    }
}
