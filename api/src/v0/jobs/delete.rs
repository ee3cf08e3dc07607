//! Deletes a job.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, StoreUnavailable};

/// Deletes a job and its log.
///
/// A running job is cancelled first and deleted when it has stopped. A record with the status
/// `deleted` remains for a day.
#[utoipa::path(
    delete, path = "/jobs/{id}", operation_id = "DeleteJobs", tag = "jobs",
    params(JobPath),
    responses(
        (status = 204, description = "The job is deleted, or will be when it has stopped."),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn delete(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    caller: Caller,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    commands::job::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
