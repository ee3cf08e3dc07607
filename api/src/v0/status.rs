//! The state of the fleet as a whole.

mod warnings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::job::Timestamp;
use serde::Serialize;
use store::{FleetStatus, StoreError};
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Error, STORE_IS_FULL, STORE_UNAVAILABLE};
use crate::outage::broker;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use warnings::warnings;

/// How long the store may take, which is less than the whole request may take.
const LIMIT: Duration = Duration::from_secs(4);

/// The state of the fleet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "version": "0.2.0",
    "services": [{
        "kind": "scheduler", "id": "f97ebb52f0f6", "version": "0.2.0",
        "startedAt": "2026-11-20T16:00:00Z", "lastSeen": "2026-11-20T16:54:34.717Z",
    }],
    "workers": {"live": 3, "draining": 0},
    "store": {
        "ok": true, "usedBytes": 12_000_000, "maxBytes": 1_073_741_824, "appendOnly": true,
        "why": null,
    },
    "broker": {"ok": true, "why": null},
    "jobs": {"waiting": 250, "running": 12, "done": 1803},
    "rates": {"started": 240, "ended": 236, "failed": 1, "periodMs": 60_000},
    "oldestReadyMs": 1250,
    "warnings": [],
}))]
#[schema(as = FleetStatus)]
pub(in crate::v0) struct Status {
    /// The version of the API that answers.
    version: &'static str,
    /// The API processes and schedulers that run. One that was killed is listed for 15 s.
    services: Vec<Service>,
    /// The workers.
    workers: Workers,
    /// Redis.
    store: Store,
    /// RabbitMQ, as the schedulers see it.
    broker: Broker,
    /// The number of jobs in each status. Empty if the store does not answer.
    jobs: BTreeMap<&'static str, u64>,
    /// What happened to jobs recently. `null` if the store does not answer.
    rates: Option<Rates>,
    /// The age of the oldest offer that no worker has taken, in milliseconds. `null` if there is
    /// none.
    oldest_ready_ms: Option<u64>,
    /// Warnings, for people.
    warnings: Vec<String>,
}

/// A scheduler or an API process.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Service {
    /// `scheduler` or `api`.
    #[schema(example = "scheduler")]
    kind: &'static str,
    /// The id of the process: 12 hexadecimal digits, random for each process.
    id: String,
    /// The version of its program.
    version: String,
    /// The time at which it started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The time at which it last announced itself, which it does every 3 s.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
}

/// The live workers.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = WorkerNumbers)]
struct Workers {
    /// The number of live workers.
    live: u64,
    /// The number of them that are draining, of the first 1000.
    draining: u64,
}

/// The state of Redis.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StoreState)]
struct Store {
    /// Whether it answers, accepts writes and has room for new jobs.
    ok: bool,
    /// The bytes that count against its limit. `null` if unknown.
    used_bytes: Option<u64>,
    /// Its limit, `maxmemory`. `null` if it has none, or if unknown.
    max_bytes: Option<u64>,
    /// Whether it writes each change to disk. `null` if unknown.
    append_only: Option<bool>,
    /// What is wrong. `null` if it is ok.
    why: Option<String>,
}

/// The state of RabbitMQ.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrokerState)]
struct Broker {
    /// Whether at least one scheduler can publish.
    ok: bool,
    /// What is wrong. `null` if it is ok.
    why: Option<String>,
}

/// What happened to jobs in a period before now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Rates {
    /// The number of jobs that started.
    started: u64,
    /// The number of jobs that ended, in whatever way.
    ended: u64,
    /// The number of those that neither succeeded nor were cancelled. An attempt that is retried
    /// counts.
    failed: u64,
    /// The length of the period in milliseconds: a minute, or less if more than 2000 events
    /// happened within a minute.
    period_ms: u64,
}

/// Returns the state of the fleet: services, Redis, RabbitMQ, jobs, and what needs attention.
///
/// The answer is 200 even if the store does not answer; `store` then has the reason.
#[utoipa::path(
    get, path = "/status", operation_id = "GetStatus", tag = "meta",
    responses(
        (status = 200, body = Status, description = "The state of the fleet."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Status>, Refusal> {
    let read = tokio::time::timeout(LIMIT, app.store.fleet_status()).await;
    let status = match read.map_or(Err(STORE_UNAVAILABLE), |read| read.map_err(refused)) {
        Ok(fleet) => Status::of(fleet, app.store.left_out_records()),
        Err(Error::Unavailable(why)) => Status::without_store(why),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(status))
}

fn refused(error: StoreError) -> Error {
    error.into()
}

impl Status {
    fn of(fleet: FleetStatus, left_out: u64) -> Status {
        let version = env!("CARGO_PKG_VERSION");
        let warnings = warnings(&fleet, version, left_out);
        let FleetStatus { health, rates, jobs, .. } = fleet;
        let broker = broker(&health).err();
        let age_ms = |at: Timestamp| health.now.ms().saturating_sub(at.ms()).max(0) as u64;
        let memory = health.memory;
        let full =
            memory.filter(store::MemoryUse::is_nearly_full).map(|_| STORE_IS_FULL.to_owned());
        let why = fleet.refuses_writes.or(full);
        Status {
            version,
            oldest_ready_ms: fleet.oldest_ready.map(age_ms),
            services: health.services.into_iter().map(Service::from).collect(),
            workers: Workers { live: fleet.workers.count, draining: fleet.workers.draining },
            store: Store {
                ok: why.is_none(),
                used_bytes: memory.map(|memory| memory.used_bytes),
                max_bytes: memory.map(|memory| memory.limit_bytes).filter(|limit| *limit > 0),
                append_only: fleet.append_only,
                why,
            },
            broker: Broker { ok: broker.is_none(), why: broker },
            jobs: jobs.into_iter().map(|(status, count)| (status.as_str(), count)).collect(),
            rates: Some(Rates {
                started: rates.started,
                ended: rates.ended,
                failed: rates.failed,
                period_ms: rates.period_ms,
            }),
            warnings,
        }
    }

    fn without_store(why: &str) -> Status {
        let unknown = || format!("unknown, because {why}");
        Status {
            version: env!("CARGO_PKG_VERSION"),
            services: Vec::new(),
            workers: Workers::default(),
            store: Store {
                ok: false,
                used_bytes: None,
                max_bytes: None,
                append_only: None,
                why: Some(why.to_owned()),
            },
            broker: Broker { ok: false, why: Some(unknown()) },
            jobs: BTreeMap::new(),
            rates: None,
            oldest_ready_ms: None,
            warnings: vec![format!("{why}, so nothing else is known")],
        }
    }
}

impl From<store::Service> for Service {
    fn from(service: store::Service) -> Service {
        Service {
            kind: service.kind.as_str(),
            id: service.id,
            version: service.version,
            started_at: service.started_at,
            last_seen: service.last_seen,
        }
    }
}
