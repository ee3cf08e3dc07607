//! Commands that are programs of their own, `capstan-NAME`, as in git and cargo.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::anyhow;
use clap::Args;
use client::ConnectionOptions;
use client::command::CommandError;

/// Arguments of a program.
#[derive(Debug, Args)]
pub(crate) struct ProgramArguments {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Replaces this process by the program. Returns only if that fails.
pub(crate) fn exec(
    name: &str,
    connection: &ConnectionOptions,
    arguments: &ProgramArguments,
) -> CommandError {
    let error =
        Command::new(path(name)).args(&arguments.arguments).envs(connection.environment()).exec();
    let reason = if error.kind() == io::ErrorKind::NotFound {
        "install it beside capstan or in a directory of PATH".to_owned()
    } else {
        error.to_string()
    };
    CommandError::Other(anyhow!("cannot run {name}: {reason}"))
}

/// The program beside this one if there is one, otherwise its bare name, to be found in PATH.
fn path(name: &str) -> PathBuf {
    let beside = std::env::current_exe().map(|capstan| capstan.with_file_name(name));
    beside.ok().filter(|program| program.is_file()).unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{Arguments, Command};
    use clap::Parser;

    fn passed_on(line: &str) -> String {
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let (Command::Demo(program) | Command::Bench(program)) = &arguments.command else {
            panic!("{arguments:?}");
        };
        let (_, api) = &arguments.connection.environment()[0];
        let words = program.arguments.iter().map(|word| word.display().to_string());
        let words = words.collect::<Vec<_>>().join(" ");
        format!("{}: {words}", api.display())
    }

    #[test]
    fn programs_receive_the_connection_and_every_other_argument() {
        let cases = [
            ("capstan --api http://a bench raw --offers 5", "http://a/: raw --offers 5"),
            ("capstan bench --api http://a --jobs 5", "http://a/: --jobs 5"),
            ("capstan bench --json", "http://127.0.0.1:8080/: --json"),
            ("capstan demo --help", "http://127.0.0.1:8080/: --help"),
            ("capstan demo --version", "http://127.0.0.1:8080/: --version"),
            ("capstan demo", "http://127.0.0.1:8080/: "),
            // The program has the same flag and reads it itself.
            ("capstan bench raw --api http://a", "http://127.0.0.1:8080/: raw --api http://a"),
        ];
        for (line, expected) in cases {
            assert_eq!(passed_on(line), expected, "{line}");
        }
    }

    #[test]
    fn a_missing_program_is_reported_with_what_to_do() {
        let arguments = Arguments::parse_from(["capstan", "demo"]);
        let program = ProgramArguments { arguments: Vec::new() };
        let error = exec("capstan-missing", &arguments.connection, &program);
        let expected =
            "cannot run capstan-missing: install it beside capstan or in a directory of PATH";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.exit_code(), 1);
    }
}
