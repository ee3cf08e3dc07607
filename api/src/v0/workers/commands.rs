//! Commands to workers: change the capacity, drain and resume. A worker receives a command with its
//! next heartbeat, which a notification triggers at once.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use serde::Deserialize;
use store::WorkerCommand;
use utoipa::ToSchema;

use crate::app::App;
use crate::commands;
use crate::error::Error;
use crate::v0::wire::body;
use crate::v0::wire::path::WorkerPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoWorker, StoreUnavailable, TooLarge, WorkerGone, WrongType,
};
use crate::v0::wire::schemas;

const BODY_BYTES: usize = 64 * 1024;

/// The capacity of a worker, or single types of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"capacityMap": {"scan": 2, "scanCheck": 1}}))]
pub(in crate::v0) struct CapacityUpdate {
    /// The capacity types and their units.
    #[schema(value_type = schemas::Capacity, required, nullable = false)]
    capacity_map: Option<CapacityMap>,
}

/// Replaces the capacity of a worker.
///
/// `default`, which every worker offers, defaults to 16. Running jobs continue, even if they exceed
/// the new capacity.
#[utoipa::path(
    post, path = "/workers/{id}/capacity", operation_id = "UpdateWorkerCapacity", tag = "workers",
    params(WorkerPath),
    request_body(content = CapacityUpdate, description = "At most 64 KiB."),
    responses(
        (status = 202, description = "The command was sent to the worker."),
        BadQuery, BadBody, NoWorker, WorkerGone, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn capacity(
    State(app): State<Arc<App>>,
    WorkerPath(id): WorkerPath,
    _: NoQuery,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let update: CapacityUpdate = body::read(request, BODY_BYTES).await?;
    let map = update.capacity_map.ok_or_else(|| Error::invalid("capacityMap", "it is required"))?;
    command(&app, &id, &WorkerCommand::Capacity(map)).await
}

/// Changes single types of a worker's capacity. The others stay unchanged; 0 removes a type.
///
/// Running jobs continue, even if they exceed the new capacity.
#[utoipa::path(
    patch, path = "/workers/{id}/capacity", operation_id = "ChangeWorkerCapacity", tag = "workers",
    params(WorkerPath),
    request_body(content = CapacityUpdate, description = "At most 64 KiB."),
    responses(
        (status = 202, description = "The command was sent to the worker."),
        BadQuery, BadBody, NoWorker, WorkerGone, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn change_capacity(
    State(app): State<Arc<App>>,
    WorkerPath(id): WorkerPath,
    _: NoQuery,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let CapacityUpdate { capacity_map } = body::read(request, BODY_BYTES).await?;
    let changes = capacity_map.ok_or_else(|| Error::invalid("capacityMap", "it is required"))?;
    commands::worker::change_capacity(&app, &id, &changes).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Drains a worker. It starts no jobs until it is resumed. Running jobs continue.
#[utoipa::path(
    post, path = "/workers/{id}/drain", operation_id = "DrainWorker", tag = "workers",
    params(WorkerPath),
    responses(
        (status = 202, description = "The command was sent to the worker."),
        BadQuery, NoWorker, WorkerGone, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn drain(
    State(app): State<Arc<App>>,
    WorkerPath(id): WorkerPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    command(&app, &id, &WorkerCommand::Drain).await
}

/// Resumes a draining worker.
#[utoipa::path(
    post, path = "/workers/{id}/resume", operation_id = "ResumeWorker", tag = "workers",
    params(WorkerPath),
    responses(
        (status = 202, description = "The command was sent to the worker."),
        BadQuery, NoWorker, WorkerGone, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn resume(
    State(app): State<Arc<App>>,
    WorkerPath(id): WorkerPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    command(&app, &id, &WorkerCommand::Resume).await
}

async fn command(app: &App, id: &WorkerId, command: &WorkerCommand) -> Result<StatusCode, Refusal> {
    commands::worker::send(app, id, command).await?;
    Ok(StatusCode::ACCEPTED)
}
