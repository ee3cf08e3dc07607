//! Retries a finished job.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::job::Job;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, NoRetry, QuotaReached, StoreUnavailable};

/// Retries a finished job.
///
/// A new job with the same action and parameters is created. It has all retries again. A job can be
/// retried once: after that, the error contains the `followUpID`.
#[utoipa::path(
    post, path = "/jobs/{id}/retry", operation_id = "RetryJob", tag = "jobs",
    params(JobPath),
    responses(
        (status = 202, body = Job, description = "The new job."),
        BadQuery, NoJob, NoRetry, QuotaReached, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn retry(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let job = commands::job::retry(&app, &caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}
