//! Queues as operators see them, and pausing what goes through them: a class of jobs, or an action.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::capacity::Class;
use domain::job::{Priority, Timestamp};
use domain::lock::LockName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::v0::wire::path::{ActionPath, ClassPath};
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoAction, NoClass, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::wait_reason::count_fitting;

/// A queue: jobs of one class in one band of priority.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "class": "cpu=2+scan=1", "priority": "normal", "offered": 64, "behind": 900, "parked": 3,
    "running": 12, "oldest": "2026-11-20T16:54:34.717Z", "workers": 4, "paused": false,
}))]
pub(in crate::v0) struct Queue {
    /// What its jobs need.
    #[schema(value_type = String)]
    class: Class,
    /// How urgent they are.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// Jobs that are offered to workers.
    offered: u64,
    /// Jobs that could run, and are held back until others of their share have gone.
    behind: u64,
    /// Jobs that stand in line for a lock.
    parked: u64,
    /// Jobs that run.
    running: u64,
    /// When the one that has been offered longest was offered.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<Timestamp>,
    /// How many live workers its jobs fit into.
    workers: usize,
    /// Its class is paused.
    paused: bool,
}

/// A list of queues, by class and band.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Queues {
    queues: Vec<Queue>,
}

/// Lists the queues that jobs have gone through, with what there is in each.
#[utoipa::path(
    get, path = "/queues", operation_id = "ListQueues", tag = "queues",
    responses((status = 200, body = Queues, description = "the queues"), BadQuery, StoreUnavailable),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Queues>, Refusal> {
    let (loads, workers) = (app.store.queue_loads().await?, app.store.workers().await?);
    let queues = loads.into_iter().map(|load| Queue {
        workers: count_fitting(&load.name.class, &workers),
        class: load.name.class,
        priority: load.name.priority,
        offered: load.offered,
        behind: load.behind,
        parked: load.parked,
        running: load.running,
        oldest: load.oldest,
        paused: load.paused,
    });
    Ok(Json(Queues { queues: queues.collect() }))
}

/// Has no job of a class started until it is resumed. What runs goes on.
#[utoipa::path(
    post, path = "/queues/{class}/pause", operation_id = "PauseQueue", tag = "queues",
    params(ClassPath),
    responses((status = 202, description = "it is paused"), BadQuery, NoClass, StoreUnavailable),
)]
pub(in crate::v0) async fn pause_class(
    State(app): State<Arc<App>>,
    ClassPath(class): ClassPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    paused(&app, &LockName::of_class(&class), true).await
}

/// Has jobs of a class started again.
#[utoipa::path(
    post, path = "/queues/{class}/resume", operation_id = "ResumeQueue", tag = "queues",
    params(ClassPath),
    responses((status = 202, description = "it is not paused"), BadQuery, NoClass, StoreUnavailable),
)]
pub(in crate::v0) async fn resume_class(
    State(app): State<Arc<App>>,
    ClassPath(class): ClassPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    paused(&app, &LockName::of_class(&class), false).await
}

/// Has no job of an action started until it is resumed. What runs goes on.
#[utoipa::path(
    post, path = "/actions/{action}/pause", operation_id = "PauseAction", tag = "actions",
    params(ActionPath),
    responses((status = 202, description = "it is paused"), BadQuery, NoAction, StoreUnavailable),
)]
pub(in crate::v0) async fn pause_action(
    State(app): State<Arc<App>>,
    ActionPath(action): ActionPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    paused(&app, &LockName::of_action(&action), true).await
}

/// Has jobs of an action started again.
#[utoipa::path(
    post, path = "/actions/{action}/resume", operation_id = "ResumeAction", tag = "actions",
    params(ActionPath),
    responses((status = 202, description = "it is not paused"), BadQuery, NoAction, StoreUnavailable),
)]
pub(in crate::v0) async fn resume_action(
    State(app): State<Arc<App>>,
    ActionPath(action): ActionPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    paused(&app, &LockName::of_action(&action), false).await
}

async fn paused(app: &App, name: &LockName, paused: bool) -> Result<StatusCode, Refusal> {
    app.store.pause(name, paused).await?;
    Ok(StatusCode::ACCEPTED)
}
