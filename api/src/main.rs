//! The API as a process of its own: settings, log, signals. It may hold nothing else.

use std::pin::pin;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
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
    shared::telemetry::start_logging(&config.telemetry.log).map_err(anyhow::Error::msg)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let shutdown = CancellationToken::new();
    let mut running = pin!(api::run(config, shutdown.clone()));
    tokio::select! {
        ended = &mut running => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.cancel();
    Ok(running.await?)
}
