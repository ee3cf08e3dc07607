//! Queues: list and delete them, and pause and resume classes and actions.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::capacity::Class;
use domain::job::{ActionName, Priority, Timestamp};
use domain::lock::LockName;
use serde::Serialize;
use store::{FairnessGroup, FairnessGroups};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::v0::wire::path::{ActionPath, ClassPath};
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoAction, NoClass, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::wait_reason::count_able;

/// A queue: the jobs of one class and one priority. A shared queue has jobs of actions that every
/// live worker knows. Any other action has separate queues.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "class": "cpu=2+scan=1", "action": null, "priority": "normal", "offered": 64, "backlog": 900,
    "parked": 3, "running": 12, "oldest": "2026-11-20T16:54:34.717Z", "workers": 4, "paused": false,
    "groups": [{"owner": "ci", "fairnessKey": "tenant-7", "offered": 64, "backlog": 900,
        "share": 1.0}],
    "groupCount": 1,
}))]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct Queue {
    /// The class of its jobs: the capacity that they need.
    #[schema(value_type = String)]
    class: Class,
    /// The action of its jobs, if not every live worker knows it. `null` for a shared queue.
    #[schema(value_type = Option<schemas::Action>)]
    action: Option<ActionName>,
    /// The priority of its jobs.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// The number of jobs that are offered to workers.
    offered: u64,
    /// The number of jobs that wait for other jobs of their fairness group.
    backlog: u64,
    /// The number of jobs that wait for a lock.
    parked: u64,
    /// The number of running jobs.
    running: u64,
    /// The time at which the job that has been offered for the longest time was offered.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<Timestamp>,
    /// The number of live workers with enough capacity for one of its jobs. For a queue of one
    /// action, only workers that know the action are counted.
    workers: usize,
    /// Whether its class is paused.
    paused: bool,
    /// The fairness groups with the most jobs in the queue, largest first; at most 8.
    groups: Vec<Group>,
    /// The number of fairness groups with jobs in the queue.
    group_count: usize,
}

/// A fairness group: the jobs of one submitter with the same fairness key, or without one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FairnessGroup)]
pub(in crate::v0) struct Group {
    /// The submitter, as its jobs show it in `scheduledBy`. `null` if it is not known.
    owner: Option<String>,
    /// The fairness key of the jobs. `null` for those without one.
    fairness_key: Option<String>,
    /// The number of jobs that are offered to workers.
    offered: u64,
    /// The number of jobs that wait for other jobs of the group.
    backlog: u64,
    /// The part of the offered jobs of the queue that belongs to the group, from 0 to 1. Workers
    /// start the jobs of a queue in the order of the offers.
    share: f64,
}

/// A list of queues, ordered by class, action and priority.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct Queues {
    queues: Vec<Queue>,
    /// The actions that are paused: their jobs wait in these queues and are not started.
    #[schema(value_type = Vec<schemas::Action>)]
    paused_actions: Vec<ActionName>,
}

/// Lists the queues in use, with the number of jobs in each.
///
/// A queue is removed when no job waits in it and none was offered through it for 10 minutes.
#[utoipa::path(
    get, path = "/queues", operation_id = "ListQueues", tag = "queues",
    responses(
        (status = 200, body = Queues, description = "The queues."), BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Queues>, Refusal> {
    let (loads, workers) = (app.store.queue_loads().await?, app.store.live_workers().await?);
    let queues = loads.into_iter().map(|load| Queue {
        workers: count_able(&load.name, &workers),
        class: load.name.class,
        action: load.name.action,
        priority: load.name.priority,
        offered: load.offered,
        backlog: load.groups.behind,
        parked: load.parked,
        running: load.running,
        oldest: load.oldest,
        paused: load.paused,
        group_count: load.groups.count,
        groups: groups(load.groups),
    });
    let paused_actions = app.store.paused_actions().await?;
    Ok(Json(Queues { queues: queues.collect(), paused_actions }))
}

fn groups(groups: FairnessGroups) -> Vec<Group> {
    let offered = groups.offered;
    let group = |group: FairnessGroup| Group {
        share: group.share(offered),
        owner: group.owner,
        fairness_key: group.key,
        offered: group.offered,
        backlog: group.behind,
    };
    groups.largest.into_iter().map(group).collect()
}

/// Deletes the queues of a class in which no job waits, without the delay of 10 minutes.
///
/// Queues in which jobs wait stay. A queue is created again when a job needs it.
#[utoipa::path(
    delete, path = "/queues/{class}", operation_id = "DeleteQueues", tag = "queues",
    params(ClassPath),
    responses(
        (status = 204, description = "The class has no unused queues."), BadQuery, NoClass,
        StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn delete(
    State(app): State<Arc<App>>,
    ClassPath(class): ClassPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    for name in app.store.queue_names().await?.into_iter().filter(|name| name.class == class) {
        app.store.retire_queue(&name, Duration::ZERO).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a class. None of its jobs is started until it is resumed. Running jobs continue.
#[utoipa::path(
    post, path = "/queues/{class}/pause", operation_id = "PauseQueue", tag = "queues",
    params(ClassPath),
    responses(
        (status = 202, description = "The class is paused."), BadQuery, NoClass, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn pause_class(
    State(app): State<Arc<App>>,
    ClassPath(class): ClassPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    set_paused(&app, &LockName::of_class(&class), true).await
}

/// Resumes a paused class.
#[utoipa::path(
    post, path = "/queues/{class}/resume", operation_id = "ResumeQueue", tag = "queues",
    params(ClassPath),
    responses(
        (status = 202, description = "The class is resumed."), BadQuery, NoClass, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn resume_class(
    State(app): State<Arc<App>>,
    ClassPath(class): ClassPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    set_paused(&app, &LockName::of_class(&class), false).await
}

/// Pauses an action. None of its jobs is started until it is resumed. Running jobs continue.
///
/// The action `deliver` requires an admin.
#[utoipa::path(
    post, path = "/actions/{action}/pause", operation_id = "PauseAction", tag = "actions",
    params(ActionPath),
    responses(
        (status = 202, description = "The action is paused."), BadQuery, NoAction, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn pause_action(
    State(app): State<Arc<App>>,
    ActionPath(action): ActionPath,
    caller: Caller,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    caller.check_action(&action)?;
    set_paused(&app, &LockName::of_action(&action), true).await
}

/// Resumes a paused action. The action `deliver` requires an admin.
#[utoipa::path(
    post, path = "/actions/{action}/resume", operation_id = "ResumeAction", tag = "actions",
    params(ActionPath),
    responses(
        (status = 202, description = "The action is resumed."),
        BadQuery, NoAction, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn resume_action(
    State(app): State<Arc<App>>,
    ActionPath(action): ActionPath,
    caller: Caller,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    caller.check_action(&action)?;
    set_paused(&app, &LockName::of_action(&action), false).await
}

async fn set_paused(app: &App, name: &LockName, paused: bool) -> Result<StatusCode, Refusal> {
    app.store.pause(name, paused).await?;
    Ok(StatusCode::ACCEPTED)
}
