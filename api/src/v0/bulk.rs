//! Bulk operations: create, list, show and stop them.

mod filter;
mod operation;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::{BulkSpec, BulkVerb};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::deadline::in_time;
use crate::error::Error;
use crate::job_filter::bulk_filter;
use crate::v0::wire::body;
use crate::v0::wire::path::BulkPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoBulkOperation, StoreUnavailable, TooLarge, TooManyBulkOperations,
    WrongType,
};
use crate::v0::wire::schemas;

use filter::BulkFilter;
use operation::{BulkOperation, BulkOperations, BulkPreview};

const BODY_BYTES: usize = 64 * 1024;

/// A bulk operation to start, or to try out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "operation": "retry", "filter": {"action": "scan", "status": ["error"]}, "dryRun": true,
}))]
pub(in crate::v0) struct BulkRequest {
    /// What to do with each job: `cancel`, `retry` or `delete`.
    #[schema(value_type = schemas::BulkVerb, required, nullable = false)]
    operation: Option<BulkVerb>,
    /// The jobs. Without any condition, `all` must be `true`.
    #[schema(value_type = BulkFilter)]
    filter: Option<body::Object<BulkFilter>>,
    /// If it is `true`, jobs are counted and not changed. Defaults to `false`.
    dry_run: Option<bool>,
}

/// Cancels, retries or deletes all jobs that match a filter.
///
/// The operation is stored and carried out in steps, so it survives a restart of the API. Jobs that
/// are submitted after it are not touched. With `dryRun`, the answer counts the jobs instead. At
/// most 100 operations are kept, each for a day after its end. Jobs of the action `deliver` are left
/// out, unless the token is that of an admin.
#[utoipa::path(
    post, path = "/bulk", operation_id = "StartBulkOperation", tag = "bulk",
    request_body(content = BulkRequest, description = "At most 64 KiB."),
    responses(
        (status = 200, body = BulkPreview, description = "What the operation would do."),
        (status = 202, body = BulkOperation, description = "The operation."),
        BadQuery, BadBody, TooManyBulkOperations, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn begin(
    State(app): State<Arc<App>>,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<Response, Refusal> {
    let BulkRequest { operation, filter, dry_run } = body::read(request, BODY_BYTES).await?;
    let verb = operation.ok_or_else(|| Error::invalid("operation", "it is required"))?;
    let wanted = filter.map(|filter| filter.0).unwrap_or_default();
    let spec = BulkSpec {
        verb,
        filter: bulk_filter(&wanted.query()?, verb).map_err(|error| error.below("filter"))?,
        requested_by: caller.name().to_owned(),
        may_change_deliveries: caller.may_change_deliveries(),
    };
    spec.filter.action.as_ref().map_or(Ok(()), |action| caller.check_action(action))?;
    app.reach_store().await?;
    if dry_run == Some(true) {
        caller.set_subject(format_args!("dry run of {verb} {}", wanted.summary()));
        let preview = commands::bulk::dry_run(&app, &spec).await?;
        return Ok(Json(BulkPreview::from(preview)).into_response());
    }
    let id = Uuid::new_v4();
    caller.set_subject(format_args!("{id} {verb} {}", wanted.summary()));
    let begun = in_time(commands::bulk::begin(&app, id, &spec)).await?;
    Ok((StatusCode::ACCEPTED, Json(BulkOperation::from(begun))).into_response())
}

/// Lists the bulk operations, newest first.
#[utoipa::path(
    get, path = "/bulk", operation_id = "ListBulkOperations", tag = "bulk",
    responses(
        (status = 200, body = BulkOperations, description = "The operations."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<BulkOperations>, Refusal> {
    let operations = app.store.bulk_operations().await?;
    Ok(Json(BulkOperations { operations: operations.into_iter().map(Into::into).collect() }))
}

/// Returns a bulk operation with its progress.
#[utoipa::path(
    get, path = "/bulk/{id}", operation_id = "GetBulkOperation", tag = "bulk",
    params(BulkPath),
    responses(
        (status = 200, body = BulkOperation, description = "The operation."),
        BadQuery, NoBulkOperation, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    BulkPath(id): BulkPath,
    _: NoQuery,
) -> Result<Json<BulkOperation>, Refusal> {
    Ok(Json(commands::bulk::find(&app, id).await?.into()))
}

/// Stops a bulk operation after its current step.
///
/// Jobs that it has changed stay changed. An operation that has ended does not change.
#[utoipa::path(
    post, path = "/bulk/{id}/stop", operation_id = "StopBulkOperation", tag = "bulk",
    params(BulkPath),
    responses(
        (status = 202, body = BulkOperation, description = "The operation."),
        BadQuery, NoBulkOperation, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn stop(
    State(app): State<Arc<App>>,
    BulkPath(id): BulkPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<BulkOperation>), Refusal> {
    let stopped = commands::bulk::stop(&app, &caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(stopped.into())))
}
