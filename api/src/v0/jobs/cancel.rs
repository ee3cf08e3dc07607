//! Cancelling a job, or all jobs that match a filter.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use domain::job::Cancellation;
use serde::Serialize;
use store::CancelAnswer;
use utoipa::ToSchema;

use super::bulk_cancel::{BulkCancellation, cancel_all};
use super::filter::cancel_filter;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoFilter, NoJob, StoreUnavailable};
use crate::v0::wire::schemas;

/// Cancels a job: one that waits at once; the worker of one that runs is told to stop it, which the
/// job shows as `cancel_request` until it has. A job that is over stays as it is.
#[utoipa::path(
    post, path = "/jobs/{id}/cancel", operation_id = "CancelJob", tag = "jobs",
    params(JobPath),
    responses(
        (status = 204, description = "it is cancelled, asked to stop, or was over"),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn cancel(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    caller: Caller,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    match app.store.cancel(&[id], &requested_by(&caller)).await?[..] {
        [CancelAnswer::Requested(_) | CancelAnswer::Already(_)] => Ok(StatusCode::NO_CONTENT),
        [CancelAnswer::Gone] => Err(Error::NoSuchJob(id.to_string()).into()),
        _ => Err(Error::Internal.into()),
    }
}

/// What became of cancelling many.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"cancelled": 17, "more": false}))]
pub(in crate::v0) struct ManyCancelled {
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
        ("status" = Option<schemas::Statuses>, Query, example = "waiting",
            description = "only jobs in one of these statuses, with commas between; only those \
                that are `waiting` or `running` are cancelled"),
        ("since" = Option<schemas::Moment>, Query, example = "2026-11-20T16:30:00Z",
            description = "only jobs due at this moment or later, as RFC 3339"),
        ("until" = Option<schemas::Moment>, Query, example = "2026-11-20T17:30:00Z",
            description = "only jobs due at this moment or earlier, as RFC 3339"),
        ("all" = Option<String>, Query, pattern = "^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$", example = "false",
            description = "`true`: every job, if no filter says otherwise"),
    ),
    responses(
        (status = 202, body = ManyCancelled, description = "how many were cancelled"),
        NoFilter, BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn cancel_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<(StatusCode, Json<ManyCancelled>), Refusal> {
    let filter = cancel_filter(raw.as_deref())?;
    app.reach_store().await?;
    let BulkCancellation { cancelled, more } = match filter {
        Some(filter) => cancel_all(&app.store, &filter, &requested_by(&caller)).await?,
        None => BulkCancellation::default(),
    };
    Ok((StatusCode::ACCEPTED, Json(ManyCancelled { cancelled, more })))
}

fn requested_by(caller: &Caller) -> Cancellation {
    Cancellation { by: caller.name().to_owned(), reason: String::new() }
}
