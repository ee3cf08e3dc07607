//! The life of a command-line program: parse the arguments, run, report errors, exit.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{Command, Error, Parser};

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
            let error = with_plain_usage(error, &A::command());
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

/// Removes the flags of the program itself from the usage of a command. They are optional, but clap
/// lists those that the environment sets, as if they were required.
fn with_plain_usage(mut error: Error, program: &Command) -> Error {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return error };
    let mut usage = usage.to_string();
    for flag in program.get_arguments().filter(|flag| !flag.is_required_set()) {
        let Some(long) = flag.get_long() else { continue };
        let values = flag.get_value_names().unwrap_or_default();
        let values: String = values.iter().map(|name| format!(" <{name}>")).collect();
        usage = usage.replace(&format!(" --{long}{values}"), "");
    }
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage.into()));
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnectionOptions;
    use clap::{Arg, Args};

    #[test]
    fn flags_of_the_connection_do_not_look_required() {
        let show = Command::new("show").arg(Arg::new("id").required(true));
        let program = ConnectionOptions::augment_args(Command::new("capstan")).subcommand(show);
        let line = ["capstan", "show", "--api", "http://there:1", "--ca", "ca.pem"];
        let error = program.clone().try_get_matches_from(line).unwrap_err();
        assert!(error.to_string().contains("--api <URL>"), "{error}");
        let error = with_plain_usage(error, &program).to_string();
        assert!(error.contains("\nUsage: capstan show <id>\n"), "{error}");
    }
}
