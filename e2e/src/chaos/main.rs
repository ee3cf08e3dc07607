//! `./dev chaos`: a fleet of real processes under steady submission while a seeded script of faults goes on; then
//! everything is healed and drained, and what must always hold is judged from outside: from what was acknowledged,
//! what the jobs themselves wrote down, the events, and the store. Exits 0 only when all of it held.

mod evidence;
mod fault;
mod fleet;
mod history;
mod judge;
mod load;
mod mix;
mod operator;
mod plan;
mod report;
mod settle;
mod storm;
mod trace;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "chaos")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a fleet, break it in every way, heal it, and judge what became of the jobs
    Storm(storm::Arguments),
    /// Print what a storm would do, and when
    Plan(plan::Arguments),
    /// The command behind the jobs of a storm: writes down when it runs
    Job(trace::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    let command = Cli::parse().command;
    let mut builder = match command {
        Command::Job(_) => tokio::runtime::Builder::new_current_thread(),
        Command::Storm(_) | Command::Plan(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(async {
        match command {
            Command::Storm(arguments) => storm::run(arguments).await,
            Command::Plan(arguments) => plan::print(&arguments),
            Command::Job(arguments) => trace::run(arguments).await,
        }
    })
}
