//! The binary `capstan-scheduler`: one scheduler per process.

use std::process::ExitCode;

use clap::Parser;
use service::exit::exit_code;
use service::logging::start_logging;
use service::shutdown::shutdown_on_signals;
use tokio_util::sync::CancellationToken;

/// Publishes ready jobs, fires crons, and recovers lost jobs
#[derive(Parser)]
#[command(name = "capstan-scheduler", version)]
struct Cli {
    #[command(flatten)]
    config: scheduler::Config,
}

fn main() -> ExitCode {
    exit_code("capstan-scheduler", service::runtime::run(run(Cli::parse().config)))
}

async fn run(config: scheduler::Config) -> anyhow::Result<()> {
    start_logging(&config.telemetry.log).map_err(anyhow::Error::msg)?;
    let shutdown = CancellationToken::new();
    let steps = [shutdown.clone()];
    tokio::select! {
        outcome = scheduler::run(config, shutdown) => outcome,
        failed = shutdown_on_signals(&steps) => failed?,
    }
}
