//! `capstan completions`: scripts that complete the command line in shells.

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use client::command::{CommandOutcome, CommandResult, print_data};

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// Shell: bash, zsh, fish, elvish or powershell
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

/// Prints the script for a shell.
pub(crate) fn run(arguments: &CompletionsArguments, command: Command) -> CommandResult {
    print_data(script(arguments.shell, command).trim_end())?;
    Ok(CommandOutcome::Success)
}

fn script(shell: Shell, mut command: Command) -> String {
    let mut script = Vec::new();
    generate(shell, &mut command, "capstan", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn each_shell_learns_the_commands_and_flags() {
        let list = Command::new("list").arg(Arg::new("limit").long("limit"));
        let command = Command::new("capstan").subcommand(Command::new("jobs").subcommand(list));
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell, command.clone());
            for word in ["capstan", "jobs", "list", "limit"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
