//! The scheduler: three loops that take no input and may run on many machines at once. The relay publishes what
//! stands in the outbox, the ticker moves what is due to it, the reaper ends what is lost.

mod meters;
mod reaper;
mod relay;
mod ticker;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use prometheus_client::registry::Registry;
use shared::config::{BrokerConfig, StoreConfig, TelemetryConfig, duration};
use shared::store::Store;
use shared::telemetry::{Admin, Health, serve_admin};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use meters::Meters;
pub use reaper::{Reaper, find_lost_offers};
pub use relay::Relay;
pub use ticker::Ticker;

/// The settings of a scheduler.
#[derive(Debug, Clone, Args)]
pub struct Config {
    #[command(flatten)]
    /// The store.
    pub store: StoreConfig,
    #[command(flatten)]
    /// The broker.
    pub broker: BrokerConfig,
    #[command(flatten)]
    /// Logs, health, metrics.
    pub telemetry: TelemetryConfig,
    /// The workers' lease; after a pause of its own, the reaper grants one whole lease before it ends any
    #[arg(long, env = "CAPSTAN_LEASE", default_value = "5s", value_parser = duration)]
    pub lease: Duration,
}

/// Runs a scheduler until `shutdown`. Waits for the store and the broker, in any order.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let name = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
    let store = Store::new(&config.store)?;
    let (health, mut registry) = (Health::default(), Registry::with_prefix("capstan_scheduler"));
    let meters = Meters::registered(&mut registry);
    for part in ["relay", "ticker", "leases", "offers", "batches", "history"] {
        health.expect(part, Duration::from_secs(15));
    }
    let admin = Admin { health: health.clone(), registry: Arc::new(registry) };
    let mut tasks = JoinSet::new();
    let address = config.telemetry.admin_address();
    let serving = serve_admin(address, admin, shutdown.clone());
    tasks.spawn(async move { Ok(serving.await?) });

    if store.wait_until_ready(&shutdown).await {
        tracing::info!(scheduler.id = name, "scheduler started");
        let service = Service { config, store, health, meters, name };
        tasks.spawn(relay::run(service.clone(), shutdown.clone()));
        tasks.spawn(ticker::run(service.clone(), shutdown.clone()));
        tasks.spawn(reaper::run(service, shutdown.clone()));
    }
    // A loop ends by itself only when it cannot go on: then the others end too.
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(error.into()));
        if ended.is_err() {
            outcome = outcome.and(ended);
            shutdown.cancel();
        }
    }
    tracing::info!("scheduler stopped");
    outcome
}

/// What each loop is given.
#[derive(Clone)]
struct Service {
    config: Config,
    store: Store,
    health: Health,
    meters: Meters,
    name: String,
}
