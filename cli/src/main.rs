//! `capstan`, the command line: one file or folder per noun, over the HTTP API.
//!
//! From the bottom up: [`columns`], [`flags`], [`lines`] and [`outage`] ← [`record`], [`requests`]
//! and [`references`] ← [`filters`] ← the nouns ← [`command_line`] ← this file. It imports the
//! domain and the API's client: neither Redis, RabbitMQ nor the services.

mod actions;
mod audit;
mod bulk;
mod columns;
mod command_line;
mod completions;
mod crons;
mod events;
mod explain;
mod failures;
mod filters;
mod flags;
mod health;
mod init;
mod jobs;
mod limits;
mod lines;
mod locks;
mod man;
mod outage;
mod program;
mod queues;
mod record;
mod references;
mod requests;
mod scaling;
mod settings;
mod status;
mod subscriptions;
#[cfg(test)]
mod test_parser;
mod tokens;
mod top;
mod up;
mod verdict;
mod waiting;
mod why;
mod workers;

use std::process::ExitCode;

use clap::CommandFactory;
use client::command::{CommandResult, run_program};

use command_line::{Arguments, Command};

fn main() -> ExitCode {
    completions::complete(Arguments::command).unwrap_or_else(|| run_program(run))
}

async fn run(arguments: Arguments) -> CommandResult {
    let Arguments { connection, command } = arguments;
    let api = || connection.client();
    match command {
        Command::Jobs(command) => jobs::run(&api()?, command).await,
        Command::Bulk(command) => bulk::run(&api()?, command).await,
        Command::Crons(command) => crons::run(&api()?, command).await,
        Command::Actions(command) => actions::run(&api()?, command).await,
        Command::Workers(arguments) => workers::run(&api()?, arguments).await,
        Command::Limits(command) => limits::run(&api()?, command).await,
        Command::Locks(command) => locks::run(&api()?, command).await,
        Command::Queues(command) => queues::run(&api()?, command).await,
        Command::Subscriptions(command) => subscriptions::run(&api()?, command).await,
        Command::Events(arguments) => events::run(&api()?, &arguments).await,
        Command::Audit(arguments) => audit::run(&api()?, &arguments).await,
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Failures(arguments) => failures::run(&api()?, &arguments).await,
        Command::Top(arguments) => top::run(&api()?, &arguments).await,
        Command::Status(arguments) => status::run(&api()?, &arguments).await,
        Command::Scaling(arguments) => scaling::run(&api()?, &arguments).await,
        Command::Verdict(arguments) => verdict::run(&api()?, &arguments).await,
        Command::Waiting(output) => waiting::run(&api()?, output).await,
        Command::Why(arguments) => why::run(&api()?, &arguments).await,
        Command::Settings(command) => settings::run(&api()?, command).await,
        Command::Token(command) => tokens::run(command),
        Command::Init(arguments) => init::run(&arguments),
        Command::Health(arguments) => health::run(arguments).await,
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
        Command::Up(arguments) => up::run(&arguments).await,
        Command::Demo(arguments) => Err(program::exec("capstan-demo", &connection, &arguments)),
        Command::Bench(arguments) => Err(program::exec("capstan-bench", &connection, &arguments)),
    }
}
