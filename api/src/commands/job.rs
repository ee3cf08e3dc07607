//! Operations on a job: cancel, retry, change, delete.

use domain::job::{Cancellation, Job, JobId, Priority, Status, Timestamp};
use store::{CancelAnswer, ChangeAnswer, DeleteAnswer, JobChange, RetryAnswer};

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

/// Changes the priority, the due time or both of a job that has not started, and returns it.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    id: JobId,
    (priority, scheduled_at): (Option<Priority>, Option<Timestamp>),
) -> Result<Job, Error> {
    check_job(&app.store, caller, id).await?;
    let gone = || Error::NoSuchJob(id.to_string());
    match app.store.change(id, JobChange { priority, scheduled_at }).await? {
        ChangeAnswer::Changed => app.store.job(id).await?.ok_or_else(gone),
        ChangeAnswer::Refused(status) => Err(Error::AlreadyStarted { id, status }),
        ChangeAnswer::TooLate(expires) => {
            let why = format!("it must be before expiresAt, which is {expires}");
            Err(Error::invalid("scheduledAt", why))
        }
        ChangeAnswer::Gone => Err(gone()),
    }
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
