//! `capstan-bench`, which `capstan bench` runs: measures a fleet with jobs that do nothing, and
//! with the addresses of Redis and RabbitMQ also those two alone, as a lower bound. It reports
//! numbers and judges none of them.
//!
//! From the bottom up: `numbers`, `services`, `sockets`, `disk` ← `processes` ← `offer_counts` ←
//! `costs` ← `phase` ← `jobs`, `fleet_workers`, `bare_queue` ← `fleet`, `floor`, `pickup`, `memory`,
//! `raw` ← `report` ← `picture`, `scale` ← this file.

mod bare_queue;
mod cost_tables;
mod costs;
mod disk;
mod fleet;
mod fleet_workers;
mod floor;
mod jobs;
mod memory;
mod numbers;
mod offer_counts;
mod phase;
mod pickup;
mod picture;
mod processes;
mod raw;
mod report;
mod scale;
mod services;
mod sockets;

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use client::command::{
    CommandError, CommandOutcome, CommandResult, EXIT_CODES, note, print, print_json, run_program,
};
use client::{ApiClient, ConnectionOptions, http_client};
use serde::Serialize;
use store::Store;

use costs::Meter;
use floor::Floor;
use jobs::note_other_jobs;
use phase::PhaseRuns;
use picture::svg;
use processes::{Addresses, Processes};
use raw::RawArguments;
use report::Report;
use scale::{Scale, ScaleArguments, SimulatedWorkersArguments, run_simulated_workers};
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

    /// Jobs of each phase
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    jobs: u64,

    /// Rounds of all phases; the medians are reported
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

    /// Also draw the report as an SVG picture into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

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
    /// Measure whether jobs cost the same with more jobs kept, workers, queues and fairness groups
    ///
    /// Also compares kinds of jobs. The workers of the fleet are drained meanwhile: all jobs are run
    /// by workers that this command simulates. They stay in the list of workers for a day.
    Scale(ScaleArguments),
    /// Run workers in one process until SIGTERM; `scale` starts it
    #[command(hide = true)]
    SimulateWorkers(Box<SimulatedWorkersArguments>),
}

fn main() -> ExitCode {
    run_program(run)
}

async fn run(arguments: Arguments) -> CommandResult {
    match &arguments.only {
        None => Box::pin(run_all(&arguments)).await,
        Some(Only::Raw(raw)) => run_raw(&arguments, raw.offers).await,
        Some(Only::Scale(scale)) => Box::pin(run_scale(&arguments, scale)).await,
        Some(Only::SimulateWorkers(workers)) => run_simulated_workers(workers).await,
    }
}

/// Prints what was measured of the fleet even if RabbitMQ or Redis cannot be measured alone.
async fn run_all(arguments: &Arguments) -> CommandResult {
    let store = arguments.services.store()?;
    let broker = arguments.services.broker();
    // An unsuitable file is an error now rather than after minutes.
    let picture = arguments.svg.as_ref().map(|path| picture_file(path)).transpose()?;
    let api = arguments.connection.client()?;
    let mut report = Report::default();
    measure_fleet(&api, arguments, store.as_ref(), &mut report).await?;
    let offers = raw::DEFAULT_OFFERS.min(arguments.jobs.max(raw::FEWEST_OFFERS));
    let raw = raw::measure(broker.as_ref(), store.as_ref(), offers).await;
    let result = raw.map(|raw| report.raw = raw);
    if let Some(mut file) = picture {
        file.write_all(svg(&report).as_bytes())?;
    }
    arguments.print(&report)?;
    result?;
    Ok(CommandOutcome::success_if(report.all_succeeded()))
}

async fn run_raw(arguments: &Arguments, offers: u64) -> CommandResult {
    let (store, broker) = (arguments.services.store()?, arguments.services.broker());
    if broker.is_none() && store.is_none() {
        return Err(CommandError::Usage("pass --amqp-url, --redis-url or both".to_owned()));
    }
    let raw = raw::measure(broker.as_ref(), store.as_ref(), offers).await?;
    arguments.print(&Report { raw, ..Report::default() })?;
    Ok(CommandOutcome::Success)
}

async fn run_scale(arguments: &Arguments, scale: &ScaleArguments) -> CommandResult {
    let Arguments { connection, services, .. } = arguments;
    let (Some(store), Some(amqp)) = (services.store()?, services.amqp_url()) else {
        return Err(CommandError::Usage("pass --amqp-url and --redis-url".to_owned()));
    };
    let addresses = Addresses { api: connection.url(), amqp: Some(amqp) };
    let api = connection.client()?;
    let fleet = Scale { api: &api, addresses, services, store: &store };
    let report = fleet.measure(scale).await?;
    arguments.print(&report)?;
    Ok(CommandOutcome::success_if(report.is_complete()))
}

impl Arguments {
    fn print(&self, report: &(impl Display + Serialize)) -> Result<(), CommandError> {
        if self.json { print_json(report) } else { print(report) }
    }
}

fn picture_file(path: &Path) -> Result<File, CommandError> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()));
    Ok(file?)
}

async fn measure_fleet(
    api: &ApiClient,
    arguments: &Arguments,
    store: Option<&Store>,
    report: &mut Report,
) -> Result<(), CommandError> {
    let &Arguments { jobs, rounds, rate, seconds, .. } = arguments;
    let services = &arguments.services;
    let addresses = Addresses { api: arguments.connection.url(), amqp: services.amqp_url() };
    let processes = Processes::find(&addresses);
    let bare = Meter { processes: processes.without_fleet(), store, http: None };
    let meter = Meter { processes, store, http: Some(http_client()?) };
    let mut floor = match (store, services.broker()) {
        (Some(store), Some(broker)) => Some(Floor::open(store, &broker, bare).await?),
        (Some(_) | None, _) => None,
    };
    note_other_jobs(api).await?;
    let before = memory::sample(&meter.processes, store).await?;
    let mut runs = PhaseRuns::default();
    for number in 1..=rounds {
        note(format!("bench: round {number} of {rounds}, {jobs} jobs per phase"));
        runs.add_fleet(fleet::round(api, &meter, jobs).await?);
        if let Some(floor) = &mut floor {
            runs.add_floor(floor.round(jobs).await?);
        }
    }
    let after = memory::sample(&meter.processes, store).await?;
    report.memory = Some(memory::compare(&before, &after, jobs * rounds));
    report.phases = runs.reports(jobs);
    note(format!("bench: {rate} jobs per second for {seconds} s"));
    let mut pickup = pickup::measure(api, &meter, rate, seconds).await?;
    if let Some(mut floor) = floor {
        pickup.floor = Some(floor.pickup(rate, rate * seconds).await?);
        floor.close().await?;
    }
    report.pickup = Some(pickup);
    report.processes = Some(meter.processes);
    Ok(())
}
