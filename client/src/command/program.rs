//! The life of a command-line program: parse the arguments, run, report errors, exit.

use std::process::ExitCode;

use clap::Parser;

use super::error::CommandError;
use super::exit::CommandResult;
use super::output::note;

/// Parses the arguments, runs the program with them, and returns its exit code.
pub fn run_program<A, F>(run: impl FnOnce(A) -> F) -> ExitCode
where
    A: Parser,
    F: Future<Output = CommandResult>,
{
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A reader may close standard output before the end of the help.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let result = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(CommandError::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => {
            note(format!("{}: {error}", A::command().get_name()));
            ExitCode::from(error.exit_code())
        }
    }
}
