//! The worker: consumes offers of the classes it has capacity for, claims jobs, runs them, and records how they
//! end. Stateless: what it knows dies with it, and the lease in the store says so.

pub mod actions;
mod attempt;
mod board;
mod child;
mod desk;
mod family;
mod handler;
mod heart;
mod intake;
mod journal;
mod meters;
mod progress;
mod recorder;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use prometheus_client::registry::Registry;
use domain::capacity::CapacityMap;
use service::settings::{BrokerSettings, StoreSettings, TelemetryConfig, duration};
use domain::job::{ActionName, WorkerId};
use store::Store;
use service::telemetry::{Admin, Health, serve_admin};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[doc(hidden)]
pub use actions::fuzzing;
use actions::{Action, Actions, Networks};
pub use actions::{Context, Progress, ProgressError, Stop};
pub use child::{Child, WrongChild};
pub use family::{Family, SpawnError};
pub use domain::job::{Exception, JobId, When};
pub use domain::lock::{LockPatterns, Locks};
pub use store::ActionDefaults;
pub use worker::Worker;

use board::Board;
use meters::Meters;

/// The settings of a worker.
#[derive(Debug, Clone, Args)]
pub struct Config {
    #[command(flatten)]
    /// The store.
    pub store: StoreSettings,
    #[command(flatten)]
    /// The broker.
    pub broker: BrokerSettings,
    #[command(flatten)]
    /// Logs, health, metrics.
    pub telemetry: TelemetryConfig,

    /// What it offers, whole units by type; `default` is added with 16 units unless given
    #[arg(long, env = "CAPSTAN_CAPACITY", default_value = "scan=1,scanCheck=1")]
    pub capacity: CapacityMap,

    /// The TOML file that declares actions: commands and webhooks
    #[arg(long, env = "CAPSTAN_ACTIONS")]
    pub actions: Option<PathBuf>,

    /// Where commands get their private directories
    #[arg(long, env = "CAPSTAN_TEMPORARY", default_value = "/tmp")]
    pub temporary: PathBuf,

    /// Networks that webhooks may reach although they are private, like `10.1.0.0/16,127.0.0.1`
    #[arg(long, env = "CAPSTAN_WEBHOOK_ALLOW", default_value = "")]
    pub webhook_allow: Networks,

    /// A name for people; the worker's identity is random
    #[arg(long, env = "CAPSTAN_NAME", default_value = "")]
    pub name: String,

    /// How long its jobs stay its own without a heartbeat; it sends five in that time
    #[arg(long, env = "CAPSTAN_LEASE", default_value = "5s", value_parser = lease)]
    pub lease: Duration,

    /// How long an offer may look for a worker with room; one without keeps it for a part of that
    #[arg(long, env = "CAPSTAN_OFFER_HOLD", default_value = "250ms", value_parser = duration)]
    pub offer_hold: Duration,

    /// How long running jobs may go on after a shutdown was asked for
    #[arg(long, env = "CAPSTAN_SHUTDOWN_GRACE", default_value = "10s", value_parser = duration)]
    pub shutdown_grace: Duration,
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    let bounds = Duration::from_millis(500)..=Duration::from_secs(3600);
    if bounds.contains(&lease) { Ok(lease) } else { Err("it must be from 500ms to 1h".to_owned()) }
}

/// How a worker is asked to stop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Claim nothing more; what runs has its grace.
    pub asked: CancellationToken,
    /// The grace is over.
    pub hurry: CancellationToken,
}

/// Why one life of a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to stop, and has.
    Shutdown,
    /// Its lease is lost; what it ran was stopped. It may live again under another id.
    LeaseLost,
}

/// Runs a worker without actions of its own until `shutdown`.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    Worker::new(config).run_until(shutdown).await
}

async fn serve(
    config: Config,
    own: BTreeMap<ActionName, Arc<dyn Action>>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let store = Store::new(&config.store.load()?)?;
    let actions = Actions::load(&config, &store, own)?;
    let (health, mut registry) = (Health::default(), Registry::with_prefix("capstan_worker"));
    let meters = Meters::registered(&mut registry);
    for part in ["heart", "intake"] {
        health.expect(part, Duration::from_secs(15));
    }
    let admin = Admin { health: health.clone(), registry: Arc::new(registry) };
    let address = config.telemetry.admin_address();
    let service = Arc::new(Service {
        total: config.capacity.clone().with_default(),
        config,
        store,
        actions,
        health,
        meters,
    });

    let mut tasks = JoinSet::new();
    // Health is answered until the very end, also while running jobs have their grace.
    let served = CancellationToken::new();
    let serving = serve_admin(address, admin, served.clone());
    tasks.spawn(async move { Ok(serving.await?) });
    let living = served.clone().drop_guard();
    tasks.spawn(async move {
        let _living = living;
        if service.store.wait_until_ready(&shutdown.asked).await {
            let orders = Orders { total: service.total.clone(), drain: false };
            let orders = Arc::new(watch::Sender::new(orders));
            while live(&service, &orders, &shutdown).await? == End::LeaseLost {
                tracing::warn!("worker: the lease was lost, beginning anew under another id");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        Ok(())
    });
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(error.into()));
        if ended.is_err() {
            outcome = outcome.and(ended);
            tasks.abort_all();
        }
    }
    outcome
}

/// One life under one identity: from the first beat until shutdown, or until the lease is lost.
/// The order at the end: the intake closes, attempts run to their grace, the heart stops last.
async fn live(
    service: &Arc<Service>,
    orders: &Arc<watch::Sender<Orders>>,
    shutdown: &Shutdown,
) -> anyhow::Result<End> {
    let id = WorkerId::random();
    let life = Life {
        id: id.clone(),
        board: Board::default(),
        lost: CancellationToken::new(),
        orders: Arc::clone(orders),
        beat_now: Arc::new(Notify::new()),
    };
    let mut heart = heart::Heart::new(Arc::clone(service), life.clone());
    if !heart.first_beat(&shutdown.asked).await {
        return Ok(End::Shutdown);
    }
    let capacity = service.total.to_string();
    tracing::info!(worker.id = %id, capacity, "worker started");
    let stop_heart = CancellationToken::new();
    let free = heart.free();
    let beating = heart.run(stop_heart.clone());
    let working = async {
        let end = intake::run(Arc::clone(service), life.clone(), free, shutdown.clone()).await;
        stop_heart.cancel();
        end
    };
    let (end, ()) = tokio::join!(working, beating);
    if end? == End::LeaseLost {
        return Ok(End::LeaseLost);
    }
    match service.store.leave(&id).await {
        Ok(left) => tracing::info!(worker.id = %id, ?left, "worker stopped"),
        Err(error) => tracing::warn!(worker.id = %id, %error, "worker stopped without saying so"),
    }
    Ok(End::Shutdown)
}

/// What every part of the worker is given.
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) total: CapacityMap,
    pub(crate) store: Store,
    pub(crate) actions: Actions,
    pub(crate) health: Health,
    pub(crate) meters: Meters,
}

/// One life of the worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) id: WorkerId,
    pub(crate) board: Board,
    /// The lease is lost: nothing that this life does counts any more.
    pub(crate) lost: CancellationToken,
    /// What operators want of this process; it outlives its lives.
    pub(crate) orders: Arc<watch::Sender<Orders>>,
    /// Somebody has something to say to this worker.
    pub(crate) beat_now: Arc<Notify>,
}

/// What operators want of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orders {
    /// To offer this.
    pub(crate) total: CapacityMap,
    /// To claim nothing.
    pub(crate) drain: bool,
}
