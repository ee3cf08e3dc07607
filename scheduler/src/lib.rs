//! The scheduler: loops that take no input and may run on many machines at once. The relay publishes what stands in
//! the outbox, the ticker moves what is due to it, crons are fired, subscriptions are told, the reaper ends what is lost.

mod crons;
mod declared;
#[doc(hidden)]
pub mod fuzzing;
mod meters;
mod notifier;
mod reaper;
mod relay;
mod ticker;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use prometheus_client::registry::Registry;
use service::settings::{BrokerSettings, StoreSettings, TelemetryConfig, duration};
use service::telemetry::{Admin, Health, serve_admin};
use store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use crons::{Crons, Firings};
pub use declared::{DeclaredError, apply as apply_declared, read as read_declared};
pub use meters::Meters;
pub use notifier::{Notifications, Notifier};
pub use reaper::{Reaper, find_lost_offers};
pub use relay::Relay;
pub use ticker::Ticker;

/// The settings of a scheduler.
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
    /// The workers' lease; after a pause of its own, the reaper grants one whole lease before it ends any
    #[arg(long, env = "CAPSTAN_LEASE", default_value = "5s", value_parser = duration)]
    pub lease: Duration,
    /// A TOML file of crons, applied at the start; declared ones that are not in it any more are deleted
    #[arg(long, env = "CAPSTAN_CRONS", value_name = "FILE", value_parser = file_or_none)]
    pub crons: Option<std::path::PathBuf>,
}

/// The empty text is no file, as for a variable that is set to nothing.
#[expect(clippy::unnecessary_wraps, reason = "the signature that clap asks for")]
fn file_or_none(text: &str) -> Result<std::path::PathBuf, std::convert::Infallible> {
    Ok(text.into())
}

/// Runs a scheduler until `shutdown`. Waits for the store and the broker, in any order.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    // The empty text is what an unset variable gives in Compose.
    let file = config.crons.as_deref().filter(|path| !path.as_os_str().is_empty());
    let declared = file.map(declared::read).transpose()?;
    let name = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
    let store = Store::new(&config.store.load()?)?;
    let (health, mut registry) = (Health::default(), Registry::with_prefix("capstan_scheduler"));
    let meters = Meters::registered(&mut registry);
    for part in ["relay", "ticker", "crons", "notifier", "leases", "offers", "batches", "history"] {
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
        tasks.spawn(crons::run(service.clone(), shutdown.clone()));
        tasks.spawn(notifier::run(service.clone(), shutdown.clone()));
        if let Some(declared) = declared {
            let (store, shutdown) = (service.store.clone(), shutdown.clone());
            tasks.spawn(async move {
                declared::apply_persistently(&store, &declared, &shutdown).await;
                Ok(())
            });
        }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Config;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn a_file_of_crons_that_is_set_to_nothing_is_no_mistake() {
        let cli = Cli::try_parse_from(["test", "--crons="]).map_err(|error| error.to_string());
        let crons = cli.map(|cli| cli.config.crons);
        assert_eq!(crons, Ok(Some(std::path::PathBuf::new())));
    }
}
