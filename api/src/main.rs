//! The program `capstan-api`: parses the settings, starts logging and handles signals.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use service::exit::exit_code;
use service::shutdown::shutdown_on_signals;
use tokio_util::sync::CancellationToken;

/// Serves Capstan's HTTP API
#[derive(Parser)]
#[command(name = "capstan-api", version)]
struct Arguments {
    #[command(flatten)]
    config: api::Config,
}

fn main() -> ExitCode {
    exit_code("capstan-api", service::runtime::run(run(Arguments::parse().config)))
}

async fn run(config: api::Config) -> anyhow::Result<()> {
    service::logging::start_logging(&config.telemetry.log).map_err(anyhow::Error::msg)?;
    let shutdown = CancellationToken::new();
    let steps = [shutdown.clone()];
    tokio::select! {
        ended = api::run(config, shutdown) => Ok(ended?),
        failed = shutdown_on_signals(&steps) => failed.context("cannot listen for signals"),
    }
}
