//! How many workers of one shape are wanted: the signal for autoscalers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::capacity::CapacityMap;
use domain::job::Timestamp;
use domain::scaling::{Demand, Scaling as Calculated};
use domain::settings::duration;
use serde::Serialize;
use store::{QueueLoad, Worker, WorkerStatus};
use utoipa::ToSchema;

use crate::app::App;
use crate::error::Error;
use crate::query::Query;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};

/// The number of workers of one shape that would hold what runs on them and what is ready.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "wanted": 3.4, "live": 2, "because": "cpu", "waiting": {"cpu": 12}, "running": {"cpu": 15},
    "oldestReadyMs": 5200,
}))]
pub(in crate::v0) struct Scaling {
    /// The number of workers that are wanted, rounded up to one decimal. Never below what runs.
    wanted: f64,
    /// The number of live workers with exactly this capacity that are neither draining nor
    /// stopping.
    live: usize,
    /// The capacity type of which most is needed. `null` if nothing is needed.
    because: Option<String>,
    /// The units that ready jobs need, by capacity type. Jobs that are not due, parked, paused or
    /// dependent are not ready, and jobs that no such worker can hold are left out.
    waiting: BTreeMap<String, u64>,
    /// The units that jobs on these workers use, by capacity type, as of their last heartbeat.
    running: BTreeMap<String, u64>,
    /// The age of the oldest of these ready jobs that is offered, in milliseconds. `null` if there
    /// is none.
    oldest_ready_ms: Option<u64>,
}

/// Calculates how many workers of one shape are wanted.
///
/// It is the signal for an autoscaler of a pool of equal workers. `capacity` is what each worker of
/// the pool offers, as in `CAPSTAN_CAPACITY`.
///
/// Without `startWithin`, every ready job would start at once. With it, jobs may wait that long, so
/// short jobs, which follow each other on the same worker, need fewer workers. The mean run time of
/// the last minute is used.
#[utoipa::path(
    get, path = "/scaling", operation_id = "GetScaling", tag = "workers",
    params(
        ("capacity" = String, Query, example = "scan=4,cpu=8",
            description = "What each worker of the pool offers: `type=units`, separated by \
                commas. `default=16` is added unless given."),
        ("startWithin" = Option<String>, Query, example = "30s",
            description = "How long a ready job may wait for its start, such as `30s`. Defaults \
                to no time."),
    ),
    responses(
        (status = 200, body = Scaling, description = "The number of workers."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Scaling>, Refusal> {
    let query = Query::read(raw.as_deref(), &["capacity", "startWithin"])?;
    let shape: Option<CapacityMap> = query.value("capacity")?;
    let shape = shape.ok_or_else(|| Error::invalid("capacity", "it is required"))?.with_default();
    let start_within = query.text("startWithin").map(duration).transpose();
    let start_within = start_within.map_err(|error| Error::invalid("startWithin", error))?;
    let (loads, now) = (app.store.queue_loads().await?, app.store.now().await?);
    let mut workers = app.store.live_workers().await?;
    workers.retain(|worker| worker.status == WorkerStatus::Running && worker.capacity_map == shape);
    let ready = ready(loads, &shape, &workers);
    let mean_run = match start_within {
        Some(_) => mean_run(&app).await?,
        None => None,
    };
    let demand = Demand {
        free: workers.into_iter().map(|worker| worker.free).collect(),
        ready: ready
            .iter()
            .map(|load| (load.name.class.need(), load.offered + load.groups.behind))
            .collect(),
        mean_run,
        start_within,
    };
    let oldest = ready.iter().filter_map(|load| load.oldest).min();
    Ok(Json(Scaling::new(demand.scaling(&shape), oldest, now)))
}

/// Returns the queues whose jobs a further worker of the pool would start.
fn ready(loads: Vec<QueueLoad>, shape: &CapacityMap, workers: &[Worker]) -> Vec<QueueLoad> {
    let known: BTreeSet<&str> =
        workers.iter().flat_map(|worker| &worker.actions).map(String::as_str).collect();
    // What a pool without workers knows is unknown.
    let is_known = |load: &QueueLoad| {
        let action = load.name.action.as_ref().filter(|_| !workers.is_empty());
        action.is_none_or(|action| known.contains(action.as_str()))
    };
    let starts = |load: &QueueLoad| {
        !load.paused && is_known(load) && shape.fits(&load.name.class.need()) > 0
    };
    loads.into_iter().filter(starts).collect()
}

/// Returns how long jobs ran on average in the last minute: what runs, by what ends. `None` if
/// nothing ended.
async fn mean_run(app: &App) -> Result<Option<Duration>, Error> {
    let fleet = app.store.fleet_status().await?;
    let running = fleet.jobs.iter().filter(|(status, _)| status.is_running());
    let running: u64 = running.map(|(_, count)| count).sum();
    let (ended, period_ms) = (fleet.rates.ended, fleet.rates.period_ms);
    Ok((ended > 0).then(|| Duration::from_millis(running.saturating_mul(period_ms) / ended)))
}

impl Scaling {
    fn new(calculated: Calculated, oldest: Option<Timestamp>, now: Timestamp) -> Scaling {
        let Calculated { wanted, live, because, waiting, running } = calculated;
        let age = |oldest: Timestamp| u64::try_from(now.ms() - oldest.ms()).unwrap_or_default();
        Scaling { wanted, live, because, waiting, running, oldest_ready_ms: oldest.map(age) }
    }
}
