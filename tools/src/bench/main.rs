//! `capstan-bench`, which `capstan bench` runs: measures a fleet with jobs that do nothing, and
//! with the addresses of Redis and RabbitMQ also those two alone, as a lower bound. It reports
//! numbers and judges none of them.
//!
//! From the bottom up: [`numbers`] and [`services`] ← the measurements ← [`report`] ← this file.

mod memory;
mod numbers;
mod pickup;
mod raw;
mod report;
mod services;
mod throughput;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use client::command::{
    CommandError, CommandOutcome, CommandResult, EXIT_CODES, note, print, print_json, run_program,
};
use client::{ApiClient, ConnectionOptions};
use store::Store;

use raw::RawArguments;
use report::Report;
use services::Services;

/// Measure the throughput and latency of an idle fleet
///
/// Runs jobs that do nothing. Any other work on the fleet distorts the numbers.
#[derive(Debug, Parser)]
#[command(name = "capstan-bench", bin_name = "capstan bench", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    connection: ConnectionOptions,

    #[command(subcommand)]
    only: Option<Only>,

    /// Jobs per round of the throughput measurement
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    jobs: u64,

    /// Rounds of the throughput measurement; the medians are reported
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=100)
    )]
    rounds: u64,

    /// Jobs per second of the latency measurement
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..=10_000)
    )]
    rate: u64,

    /// Length of the latency measurement in seconds
    ///
    /// The workers must use the clock of this machine.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    seconds: u64,

    #[command(flatten)]
    services: Services,

    /// Print the report as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Only {
    /// Measure only RabbitMQ and Redis themselves, without the fleet
    Raw(RawArguments),
}

fn main() -> ExitCode {
    run_program(run)
}

/// Prints what was measured of the fleet even if RabbitMQ or Redis cannot be measured.
async fn run(arguments: Arguments) -> CommandResult {
    let store = arguments.services.store()?;
    let broker = arguments.services.broker();
    let mut report = Report::default();
    let offers = match &arguments.only {
        Some(Only::Raw(_)) if broker.is_none() && store.is_none() => {
            return Err(CommandError::Usage("pass --amqp-url, --redis-url or both".to_owned()));
        }
        Some(Only::Raw(raw)) => raw.offers,
        None => {
            let api = arguments.connection.client()?;
            measure_fleet(&api, &arguments, store.as_ref(), &mut report).await?;
            raw::DEFAULT_OFFERS
        }
    };
    let raw = raw::measure(broker.as_ref(), store.as_ref(), offers).await;
    let result = raw.map(|raw| report.raw = raw);
    if result.is_ok() || report.throughput.is_some() {
        if arguments.json { print_json(&report) } else { print(&report) }?;
    }
    result?;
    Ok(CommandOutcome::success_if(report.all_succeeded()))
}

async fn measure_fleet(
    api: &ApiClient,
    arguments: &Arguments,
    store: Option<&Store>,
    report: &mut Report,
) -> Result<(), CommandError> {
    let &Arguments { jobs, rounds: count, rate, seconds, .. } = arguments;
    throughput::note_other_jobs(api).await?;
    let before = memory::sample(store).await?;
    let mut rounds = Vec::new();
    for number in 1..=count {
        note(format!("bench: round {number} of {count}, {jobs} jobs"));
        rounds.push(throughput::round(api, jobs).await?);
    }
    let after = memory::sample(store).await?;
    report.memory = Some(memory::compare(&before, &after, jobs * count));
    report.throughput = Some(throughput::Throughput::of(jobs, rounds));
    note(format!("bench: {rate} jobs per second for {seconds} s"));
    report.pickup = Some(pickup::measure(api, rate, seconds).await?);
    Ok(())
}
