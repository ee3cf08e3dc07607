//! `capstan-scheduler`: one scheduler in one process.

use clap::Parser;
use service::shutdown::shutdown_on_signals;
use service::telemetry::start_logging;
use tokio_util::sync::CancellationToken;

/// Publishes jobs that are ready, moves those that are due, ends those that are lost.
#[derive(Parser)]
#[command(name = "capstan-scheduler", version)]
struct Cli {
    #[command(flatten)]
    config: scheduler::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Cli::parse().config;
    start_logging(&config.telemetry.log).map_err(anyhow::Error::msg)?;
    let shutdown = CancellationToken::new();
    let signals = [shutdown.clone()];
    tokio::select! {
        outcome = scheduler::run(config, shutdown) => outcome,
        never = shutdown_on_signals(&signals) => never?,
    }
}
