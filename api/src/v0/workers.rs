//! Workers: list, show and command them.

pub(super) mod commands;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::capacity::CapacityMap;
use domain::job::{JobId, Timestamp, WorkerId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::Error;
use crate::v0::wire::path::WorkerPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoWorker, StoreUnavailable};
use crate::v0::wire::schemas;

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "f97ebb52f0f6", "status": "running", "capacityMap": {"default": 16, "scan": 1},
    "heartbeatExpiration": "2026-11-20T16:54:39Z", "name": "host-1", "free": {"default": 16},
    "actions": ["noop", "sleep"], "startedAt": "2026-11-20T16:00:00Z", "version": "0.2.0",
    "jobs": ["a261713a-9514-43f9-a7e5-50e7a9fa1d48"],
}))]
pub(in crate::v0) struct Worker {
    /// The id of the worker: 12 hexadecimal digits, random for each process.
    #[schema(value_type = schemas::WorkerId)]
    id: WorkerId,
    /// `running`; `draining` if it starts no jobs; `dead` or `shutdown` if it has ended. An ended
    /// worker is listed for a day.
    #[schema(example = "running")]
    status: &'static str,
    /// The capacity units that it offers.
    #[schema(value_type = schemas::Capacity)]
    capacity_map: CapacityMap,
    /// The time at which its lease expires unless it sends another heartbeat.
    #[schema(value_type = String, format = DateTime)]
    heartbeat_expiration: Timestamp,
    /// The name of the worker, for people.
    name: String,
    /// The capacity units that were free at its last heartbeat.
    #[schema(value_type = schemas::Capacity)]
    free: CapacityMap,
    /// The actions that it can run.
    actions: Vec<String>,
    /// The time at which it started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The version of the worker program.
    version: String,
    /// The ids of the jobs that it is running.
    #[schema(value_type = Vec<String>)]
    jobs: Vec<JobId>,
}

/// A list of workers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Workers {
    workers: Vec<Worker>,
}

/// Lists the live workers, and those that ended within the last day.
#[utoipa::path(
    get, path = "/workers", operation_id = "ListWorkers", tag = "workers",
    responses(
        (status = 200, body = Workers, description = "The workers."), BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Workers>, Refusal> {
    let workers = app.store.workers().await?;
    Ok(Json(Workers { workers: workers.into_iter().map(Worker::from).collect() }))
}

/// Returns a worker.
#[utoipa::path(
    get, path = "/workers/{id}", operation_id = "GetWorker", tag = "workers",
    params(WorkerPath),
    responses(
        (status = 200, body = Worker, description = "The worker."),
        BadQuery, NoWorker, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    WorkerPath(id): WorkerPath,
    _: NoQuery,
) -> Result<Json<Worker>, Refusal> {
    let worker = app.store.worker(&id).await?;
    let worker = worker.ok_or_else(|| Error::NoSuchWorker(id.to_string()))?;
    Ok(Json(worker.into()))
}

impl From<store::Worker> for Worker {
    fn from(worker: store::Worker) -> Worker {
        Worker {
            id: worker.id,
            status: worker.status.as_str(),
            capacity_map: worker.capacity_map,
            heartbeat_expiration: worker.heartbeat_expiration,
            name: worker.name,
            free: worker.free,
            actions: worker.actions,
            started_at: worker.started_at,
            version: worker.version,
            jobs: worker.jobs,
        }
    }
}
