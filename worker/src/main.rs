//! `capstan-worker`: one worker in one process.

use clap::Parser;
use shared::telemetry::{shutdown_on_signals, start_logging};

/// Runs jobs within its capacity.
#[derive(Parser)]
#[command(name = "capstan-worker", version)]
struct Cli {
    #[command(flatten)]
    config: worker::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Cli::parse().config;
    start_logging(&config.telemetry.log).map_err(anyhow::Error::msg)?;
    let shutdown = worker::Shutdown::default();
    let signals = [shutdown.asked.clone(), shutdown.hurry.clone()];
    tokio::select! {
        outcome = worker::run(config, shutdown) => outcome,
        never = shutdown_on_signals(&signals) => never?,
    }
}
