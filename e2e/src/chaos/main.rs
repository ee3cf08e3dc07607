//! The chaos test: a fleet of real processes runs a steady workload while faults are injected as a
//! seed plans them. Then all faults end, the fleet drains, and the invariants are checked from
//! outside: against what the API acknowledged, what the jobs themselves recorded, the events, and
//! the store. Exits with 0 only if every invariant held.
//!
//! From the bottom up: `history`, `actions` ← `job_command` ← `fleet` ← `workload` ← `operator` ←
//! `fault` ← `injector`, `plan`, `monitor`, `recovery`, `observations` ← `checker` ← `report` ←
//! `experiment`.

mod actions;
mod checker;
mod experiment;
mod fault;
mod fleet;
mod history;
mod injector;
mod job_command;
mod monitor;
mod observations;
mod operator;
mod plan;
mod recovery;
mod report;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "chaos", about = "Inject faults into a Capstan fleet and check its invariants")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a fleet, inject faults, let it recover, and check the invariants
    Run(experiment::Arguments),
    /// Print the faults of a seed, with the second at which each is injected
    Plan(plan::Arguments),
    /// The command that the jobs run: it records its start and its end
    #[command(hide = true)]
    Job(job_command::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    let command = Cli::parse().command;
    let mut builder = match command {
        Command::Job(_) => tokio::runtime::Builder::new_current_thread(),
        Command::Run(_) | Command::Plan(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(async {
        match command {
            Command::Run(arguments) => experiment::run(arguments).await,
            Command::Plan(arguments) => plan::print(&arguments),
            Command::Job(arguments) => job_command::run(arguments).await,
        }
    })
}
