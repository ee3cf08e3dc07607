//! Changes the priority and the due time of a waiting job.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::job::Priority;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::jobs::job::Job;
use crate::v0::wire::body;
use crate::v0::wire::fields;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoChange, NoJob, StoreUnavailable, TooLarge, WrongType,
};
use crate::v0::wire::schemas;

const BODY_BYTES: usize = 64 * 1024;

/// Changes to a job. Fields that are absent or `null` keep their value. At least one field is
/// required.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"priority": "high", "scheduledAt": "2026-11-20T17:30:00Z"}))]
pub(in crate::v0) struct JobUpdate {
    /// The new priority: `high`, `normal` or `low`.
    #[schema(value_type = Option<schemas::Priority>)]
    priority: Option<Priority>,
    /// The new due time, as RFC 3339. The job does not start earlier. An empty string means now.
    #[schema(value_type = Option<schemas::OptionalTime>)]
    scheduled_at: Option<String>,
}

/// Changes the priority or the due time of a job that has not started.
#[utoipa::path(
    patch, path = "/jobs/{id}", operation_id = "ChangeJob", tag = "jobs",
    params(JobPath),
    request_body(content = JobUpdate, description = "At most 64 KiB."),
    responses(
        (status = 202, body = Job, description = "The changed job."),
        BadQuery, BadBody, NoJob, NoChange, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn change(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let JobUpdate { priority, scheduled_at } = body::read(request, BODY_BYTES).await?;
    if priority.is_none() && scheduled_at.is_none() {
        let why = "it changes nothing: give priority, scheduledAt or both";
        return Err(Error::invalid("body", why).into());
    }
    let now = scheduled_at.as_ref().is_some_and(String::is_empty);
    let at = fields::time("scheduledAt", scheduled_at)?;
    let changed = in_time(async {
        let at = if now { Some(app.store.now().await?) } else { at };
        commands::job::change(&app, &caller, id, (priority, at)).await
    });
    Ok((StatusCode::ACCEPTED, Json(changed.await?.into())))
}
