//! Commands that are separate programs, `capstan-NAME`, as in git and cargo.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::anyhow;
use clap::Args;
use client::ConnectionOptions;
use client::command::CommandError;

/// The arguments for the program.
#[derive(Debug, Args)]
pub(crate) struct ProgramArguments {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
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
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        connection: ConnectionOptions,
    }

    #[test]
    fn a_missing_program_is_reported_with_what_to_do() {
        let connection = Line::parse_from(["capstan"]).connection;
        let program = ProgramArguments { arguments: Vec::new() };
        let error = exec("capstan-missing", &connection, &program);
        let expected =
            "cannot run capstan-missing: install it beside capstan or in a directory of PATH";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.exit_code(), 1);
    }
}
