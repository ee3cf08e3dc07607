//! The program `capstan-api`: parses the settings, starts logging and handles signals.

use anyhow::Context;
use clap::Parser;
use service::shutdown::shutdown_on_signals;
use tokio_util::sync::CancellationToken;

/// Serves Capstan's HTTP API
#[derive(Parser)]
#[command(name = "capstan-api", version)]
struct Arguments {
    #[command(flatten)]
    config: api::Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Arguments::parse().config;
    service::logging::start_logging(&config.telemetry.log).map_err(anyhow::Error::msg)?;
    let shutdown = CancellationToken::new();
    let steps = [shutdown.clone()];
    tokio::select! {
        ended = api::run(config, shutdown) => Ok(ended?),
        failed = shutdown_on_signals(&steps) => failed.context("cannot listen for signals"),
    }
}
