//! What is asked for of jobs that are there: cancel, delete, retry. None of it needs a body, and
//! one that is sent is not read.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use shared::job::{Cancelled, JobId, Status};
use shared::store::{Cancelling, Deleting, Retrying};
use utoipa::ToSchema;

use super::Refusal;
use super::docs::{Away, BadQuery, NoFilter, NoJob, NoRetry};
use super::job::Job;
use super::list::to_cancel;
use super::path::OfJob;
use super::query::NoQuery;
use super::values;
use crate::app::App;
use crate::auth::Caller;
use crate::cancelling::{Swept, sweep};
use crate::error::Error;

fn by_request(caller: &Caller) -> Cancelled {
    Cancelled { by: caller.name().to_owned(), reason: String::new() }
}

/// Cancels a job: one that waits at once; the worker of one that runs is told to stop it, which the
/// job shows as `cancel_request` until it has. A job that is over stays as it is.
#[utoipa::path(
    post, path = "/jobs/{id}/cancel", operation_id = "CancelJob", tag = "jobs",
    params(("id" = String, Path, description = "the job's id", format = Uuid,
            example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b")),
    responses(
        (status = 204, description = "it is cancelled, asked to stop, or was over"),
        BadQuery, NoJob, Away,
    ),
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    OfJob(id): OfJob,
    caller: Caller,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    match app.store.cancel(&[id], &by_request(&caller)).await?[..] {
        [Cancelling::Asked(_) | Cancelling::Already(_)] => Ok(StatusCode::NO_CONTENT),
        [Cancelling::Gone] => Err(no_such(id).into()),
        _ => Err(Error::Broken.into()),
    }
}

/// Deletes a job with its log. One that runs is cancelled first, and goes when it has stopped.
/// What is left for a day is a record of its being `deleted`.
#[utoipa::path(
    delete, path = "/jobs/{id}", operation_id = "DeleteJobs", tag = "jobs",
    params(("id" = String, Path, description = "the job's id", format = Uuid,
            example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b")),
    responses(
        (status = 204, description = "it is deleted, will be when it has stopped, or was before"),
        BadQuery, NoJob, Away,
    ),
)]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    OfJob(id): OfJob,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    match app.store.delete(id).await? {
        Deleting::Deleted | Deleting::Requested => Ok(StatusCode::NO_CONTENT),
        Deleting::Gone if app.store.status(id).await? == Some(Status::Deleted) => {
            Ok(StatusCode::NO_CONTENT)
        }
        Deleting::Gone => Err(no_such(id).into()),
    }
}

/// Tries a job again that is over: a new job does the same, with all its retries. A job that has
/// been carried on already is refused with the `followUpID`.
#[utoipa::path(
    post, path = "/jobs/{id}/retry", operation_id = "RetryJob", tag = "jobs",
    params(("id" = String, Path, description = "the job's id", format = Uuid,
            example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b")),
    responses(
        (status = 202, body = Job, description = "the new job"),
        BadQuery, NoJob, NoRetry, Away,
    ),
)]
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    OfJob(id): OfJob,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let new = JobId::random();
    let refused = match app.store.retry(id, new).await? {
        Retrying::Created => {
            let job = app.store.job(new).await?.ok_or_else(|| no_such(new))?;
            app.metrics.submitted(1);
            caller.made(new);
            return Ok((StatusCode::ACCEPTED, Json(job.into())));
        }
        Retrying::Followed(follow_up) => Error::Followed { id, follow_up },
        Retrying::Taken(holder) => Error::KeyTaken { id, holder },
        Retrying::Refused(status) => Error::NotOver { id, status },
        Retrying::Gone => no_such(id),
    };
    Err(refused.into())
}

/// What became of cancelling many.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"cancelled": 17, "more": false}))]
pub(super) struct ManyCancelled {
    /// So many jobs were cancelled, or asked to stop.
    cancelled: u64,
    /// It ended after three seconds, and perhaps there are more: ask again.
    more: bool,
}

/// Cancels every job that matches and waits or runs, each by itself. Without any filter it is
/// refused, unless `all=true`.
#[utoipa::path(
    post, path = "/jobs/cancel", operation_id = "CancelJobs", tag = "jobs",
    params(
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "only jobs of this action; `any` is all"),
        ("worker" = Option<String>, Query, pattern = "^(any|[0-9a-f]{12})?$", example = "any",
            description = "only jobs that this worker claimed; `any` is all"),
        ("running" = Option<String>, Query,
            pattern = "^(any|1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$", example = "any",
            description = "`true`: only running ones; `false`: only waiting ones; `any`: both. \
                Also `t`, `1`, `f`, `0`, in either case"),
        ("status" = Option<values::Statuses>, Query, example = "waiting",
            description = "only jobs in one of these statuses, with commas between; only those \
                that are `waiting` or `running` are cancelled"),
        ("since" = Option<values::Moment>, Query, example = "2026-11-20T16:30:00Z",
            description = "only jobs due at this moment or later, as RFC 3339"),
        ("until" = Option<values::Moment>, Query, example = "2026-11-20T17:30:00Z",
            description = "only jobs due at this moment or earlier, as RFC 3339"),
        ("all" = Option<String>, Query, pattern = "^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$", example = "false",
            description = "`true`: every job, if no filter says otherwise"),
    ),
    responses(
        (status = 202, body = ManyCancelled, description = "how many were cancelled"),
        NoFilter, BadQuery, Away,
    ),
)]
pub(super) async fn cancel_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<(StatusCode, Json<ManyCancelled>), Refusal> {
    let wanted = to_cancel(raw.as_deref())?;
    app.reach_store().await?;
    let Swept { cancelled, more } = match wanted {
        Some(filter) => sweep(&app.store, &filter, &by_request(&caller)).await?,
        None => Swept::default(),
    };
    Ok((StatusCode::ACCEPTED, Json(ManyCancelled { cancelled, more })))
}

fn no_such(id: JobId) -> Error {
    Error::NoSuchJob(id.to_string())
}
