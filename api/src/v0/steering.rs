//! What operators ask of workers: another capacity map, to take no more jobs, to take them again. A
//! worker is told at once, and does it with its next beat.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use shared::capacity::CapacityMap;
use shared::job::WorkerId;
use shared::store::{Steer, Steered};
use utoipa::ToSchema;

use super::docs::{Away, BadBody, BadQuery, NoWorker, TooLarge, WorkerOver, WrongType};
use super::path::OfWorker;
use super::query::NoQuery;
use super::values;
use super::{Refusal, body};
use crate::app::{App, in_time};
use crate::error::Error;

const BODY_BYTES: usize = 64 * 1024;

/// What a worker shall offer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"capacityMap": {"scan": 2, "scanCheck": 1}}))]
pub(super) struct NewCapacity {
    /// Whole units by type. It replaces the map; `default`, which every worker has, is 16 unless
    /// given.
    #[schema(value_type = values::Capacity, required, nullable = false)]
    capacity_map: Option<CapacityMap>,
}

/// Changes what a worker offers. What it runs goes on; it takes nothing new for which there is no
/// room.
#[utoipa::path(
    post, path = "/workers/{id}/capacity", operation_id = "UpdateWorkerCapacity", tag = "workers",
    params(("id" = String, Path, description = "the worker's id", example = "f97ebb52f0f6")),
    request_body(content = NewCapacity, description = "at most 64 KiB"),
    responses(
        (status = 202, description = "it is told"),
        BadQuery, BadBody, NoWorker, WorkerOver, TooLarge, WrongType, Away,
    ),
)]
pub(super) async fn capacity(
    State(app): State<Arc<App>>,
    OfWorker(id): OfWorker,
    _: NoQuery,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let new: NewCapacity = body::read(request, BODY_BYTES).await?;
    let map = new.capacity_map.ok_or_else(|| Error::invalid("capacityMap", "it is required"))?;
    tell(&app, &id, &Steer::Capacity(map)).await
}

/// Has a worker take no more jobs, until it is resumed. What it runs goes on.
#[utoipa::path(
    post, path = "/workers/{id}/drain", operation_id = "DrainWorker", tag = "workers",
    params(("id" = String, Path, description = "the worker's id", example = "f97ebb52f0f6")),
    responses(
        (status = 202, description = "it is told"), BadQuery, NoWorker, WorkerOver, Away,
    ),
)]
pub(super) async fn drain(
    State(app): State<Arc<App>>,
    OfWorker(id): OfWorker,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    tell(&app, &id, &Steer::Drain).await
}

/// Has a worker that drains take jobs again.
#[utoipa::path(
    post, path = "/workers/{id}/resume", operation_id = "ResumeWorker", tag = "workers",
    params(("id" = String, Path, description = "the worker's id", example = "f97ebb52f0f6")),
    responses(
        (status = 202, description = "it is told"), BadQuery, NoWorker, WorkerOver, Away,
    ),
)]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    OfWorker(id): OfWorker,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    tell(&app, &id, &Steer::Resume).await
}

async fn tell(app: &App, id: &WorkerId, wanted: &Steer) -> Result<StatusCode, Refusal> {
    let telling = async { Ok::<_, Refusal>(app.store.steer(id, wanted).await?) };
    match in_time(telling).await? {
        Steered::Told => Ok(StatusCode::ACCEPTED),
        Steered::Over => Err(Error::WorkerOver(id.clone()).into()),
        Steered::Gone => Err(Error::NoSuchWorker(id.to_string()).into()),
    }
}
