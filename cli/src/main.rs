//! `capstan`, the command line. It knows Capstan through the HTTP API only, except for `bench`,
//! which measures the bare broker too.

mod access;
mod actions;
mod api;
mod arguments;
mod bench;
mod crons;
mod demo;
mod each;
mod failure;
mod health;
mod init;
mod jobs;
mod locks;
mod out;
mod queues;
mod settings;
mod subscriptions;
mod token;
mod wire;
mod work;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use api::Api;
use arguments::{Arguments, Command};
use failure::{Ending, Failure};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that nobody reads to its end is no failure.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(failure::USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let ended = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(Failure::Other(error.into())),
    };
    match ended {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            out::note(format!("capstan: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

async fn run(arguments: Arguments) -> Result<Ending, Failure> {
    let api = Api::new(&arguments.api, &arguments.access)?;
    match arguments.command {
        Command::Jobs(command) => jobs::run(&api, command).await,
        Command::Crons(command) => crons::run(&api, command).await,
        Command::Actions(command) => actions::run(&api, command).await,
        Command::Workers(arguments) => workers::run(&api, arguments).await,
        Command::Locks(command) => locks::run(&api, command).await,
        Command::Queues(command) => queues::run(&api, command).await,
        Command::Subscriptions(command) => subscriptions::run(&api, command).await,
        Command::Settings(command) => settings::run(&api, command).await,
        Command::Token(command) => token::run(command),
        Command::Init(arguments) => init::run(&arguments),
        Command::Health(arguments) => health::run(arguments).await,
        Command::Demo(arguments) => demo::run(&api, &arguments).await,
        Command::Bench(arguments) => bench::run(&api, arguments).await,
    }
}
