//! `capstan completions`: scripts that complete the command line in shells. A script calls
//! `capstan` for each completion, so it also completes the names of jobs, workers, crons, actions
//! and locks, which the API lists.

mod names;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};
use client::command::{CommandOutcome, CommandResult, print_data};

use names::with_names;

/// The variable by which a script asks for completions.
const VARIABLE: &str = "CAPSTAN_COMPLETE";
const PROGRAM: &str = "capstan";

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// Shell: bash, zsh, fish, elvish or powershell
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

/// Prints the script for a shell.
pub(crate) fn run(arguments: &CompletionsArguments) -> CommandResult {
    print_data(script(arguments.shell)?.trim_end())?;
    Ok(CommandOutcome::Success)
}

/// Prints the completions of a command line if a script asks for them. Returns `None` if this is an
/// ordinary run.
pub(crate) fn complete(command: impl Fn() -> Command) -> Option<ExitCode> {
    let completing = CompleteEnv::with_factory(|| with_names(command())).var(VARIABLE);
    match completing.try_complete(std::env::args_os(), None) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::FAILURE),
    }
}

fn script(shell: Shell) -> anyhow::Result<String> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let writer =
        shells.completer(&name).with_context(|| format!("there is no script for {name}"))?;
    let mut script = Vec::new();
    writer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn each_shell_has_a_script_that_asks_capstan() {
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains(VARIABLE) && script.contains("capstan"), "{shell}: {script}");
        }
    }
}
