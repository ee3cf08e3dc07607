//! `capstan-worker`: one worker process with the built-in actions and those of its actions file.

use std::process::ExitCode;

use service::exit::exit_code;
use worker::{Config, Worker};

fn main() -> ExitCode {
    let worker = Worker::new(Config::from_arguments()).owns_process();
    exit_code("capstan-worker", service::runtime::run(worker.run()))
}
