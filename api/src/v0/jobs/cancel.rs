//! Cancels a job, or all jobs that match a filter.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use store::{BulkSpec, BulkVerb};
use utoipa::ToSchema;

use super::bulk_cancel::{BulkCancellation, cancel_all};
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::job_filter::cancel_filter;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoFilter, NoJob, StoreUnavailable};
use crate::v0::wire::schemas;

/// Cancels a job.
///
/// A waiting job is cancelled immediately. A running job gets the status `cancel_request` until its
/// worker has stopped it. A finished job does not change.
#[utoipa::path(
    post, path = "/jobs/{id}/cancel", operation_id = "CancelJob", tag = "jobs",
    params(JobPath),
    responses(
        (status = 204, description = "The job is cancelled, is being stopped, or had finished."),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn cancel(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    caller: Caller,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    commands::job::cancel(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The result of a bulk cancellation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"cancelled": 17, "more": false}))]
pub(in crate::v0) struct BulkCancelResult {
    /// The number of jobs that were cancelled or are being stopped.
    cancelled: u64,
    /// True if the request ended after three seconds and more jobs may match. Repeat the request.
    more: bool,
}

/// Cancels all waiting and running jobs that match a filter.
///
/// Each job is cancelled separately. A request without any filter is refused unless `all=true`.
/// Jobs of the action `deliver` are left out, unless the token is that of an admin.
#[utoipa::path(
    post, path = "/jobs/cancel", operation_id = "CancelJobs", tag = "jobs",
    params(
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "Only jobs of this action. `any` selects all actions."),
        ("worker" = Option<String>, Query, pattern = "^(any|[0-9a-f]{12})?$", example = "any",
            description = "Only jobs claimed by this worker. `any` selects all workers."),
        ("running" = Option<String>, Query,
            pattern = "^(any|1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$", example = "any",
            description = "`true` selects only running jobs, `false` only waiting jobs, `any` \
                both. `t`, `1`, `f` and `0` are also accepted."),
        ("status" = Option<schemas::Statuses>, Query, example = "waiting",
            description = "Only jobs in one of these statuses, separated by commas. Only \
                `waiting` and `running` jobs are cancelled."),
        ("since" = Option<schemas::OptionalTime>, Query, example = "2026-11-20T16:30:00Z",
            description = "Only jobs that are due at or after this time, as RFC 3339."),
        ("until" = Option<schemas::OptionalTime>, Query, example = "2026-11-20T17:30:00Z",
            description = "Only jobs that are due at or before this time, as RFC 3339."),
        ("all" = Option<String>, Query, example = "false",
            pattern = "^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$",
            description = "Must be `true` if no filter is given. Every job is then cancelled."),
    ),
    responses(
        (status = 202, body = BulkCancelResult, description = "The number of cancelled jobs."),
        NoFilter, BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn cancel_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<(StatusCode, Json<BulkCancelResult>), Refusal> {
    let filter = cancel_filter(raw.as_deref())?;
    app.reach_store().await?;
    let BulkCancellation { cancelled, more } = match filter {
        Some(filter) => {
            filter.action.as_ref().map_or(Ok(()), |action| caller.check_action(action))?;
            let spec = BulkSpec {
                verb: BulkVerb::Cancel,
                filter,
                requested_by: caller.name().to_owned(),
                may_change_deliveries: caller.may_change_deliveries(),
            };
            cancel_all(&app.store, &spec).await?
        }
        None => BulkCancellation::default(),
    };
    Ok((StatusCode::ACCEPTED, Json(BulkCancelResult { cancelled, more })))
}
