//! `capstan locks`: listing locks with their holders, setting permits, clearing locks.

mod layout;

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, print};
use domain::lock::LockName;
use serde_json::{Value, json};

use crate::columns::columns_help;
use crate::flags::{OutputFlags, Paging};
use crate::requests::{each, print_list};

/// The commands on locks.
#[derive(Debug, Subcommand)]
pub(crate) enum LocksCommand {
    /// List locks by name, with their holders and the number of waiting jobs
    #[command(after_help = columns_help(layout::LOCKS.columns))]
    List(ListArguments),
    /// Show a lock, the jobs that hold it, and those that wait for it
    Show(OneLock),
    /// Take locks away from all of their holders
    ///
    /// The locks go to the next waiting jobs. The jobs that held them keep running without a lock.
    Clear {
        /// Names of the locks
        #[arg(value_name = "NAME", required = true)]
        names: Vec<LockName>,
    },
    /// Set the number of permits of a lock
    ///
    /// The locks action:NAME and class:CLASS limit how many jobs of an action or a class run at
    /// once, for example action:scan or class:cpu=2.
    Set(SetArguments),
}

/// The arguments of `locks list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    paging: Paging<100>,

    #[command(flatten)]
    output: OutputFlags,
}

/// The arguments of a command on one lock.
#[derive(Debug, Args)]
pub(crate) struct OneLock {
    /// Name of the lock
    name: LockName,

    #[command(flatten)]
    output: OutputFlags,
}

/// The arguments of `locks set`.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// Name of the lock
    name: LockName,

    #[command(flatten)]
    permits: Permits,

    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Permits {
    /// Number of permits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    permits: Option<u32>,

    /// Restore the default: 1, or no limit for an action or a class
    #[arg(long)]
    reset: bool,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: LocksCommand) -> CommandResult {
    match command {
        LocksCommand::List(arguments) => {
            print_list(api, &layout::LOCKS, &arguments.paging.query(), arguments.output).await?;
        }
        LocksCommand::Show(one) => show(&api.get(&path(&one.name)).await?, one.output)?,
        LocksCommand::Clear { names } => {
            return each(&names, async |name| Ok(api.delete(&path(name)).await?)).await;
        }
        LocksCommand::Set(arguments) => {
            let SetArguments { name, permits: Permits { permits, .. }, output } = arguments;
            let body = json!({"name": name, "permits": permits});
            show(&api.post("/locks", &body).await?, output)?;
        }
    }
    Ok(CommandOutcome::Success)
}

/// Of the characters that a lock's name may contain, only the slash must be escaped in a path.
fn path(name: &LockName) -> String {
    format!("/locks/{}", name.as_str().replace('/', "%2F"))
}

fn show(lock: &Value, output: OutputFlags) -> Result<(), CommandError> {
    if output.print_one(lock, "name")? { Ok(()) } else { print(layout::lock_details(lock)?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::subcommand;

    #[test]
    fn a_slash_in_a_name_is_escaped_in_the_path() {
        let cases = [("devices", "/locks/devices"), ("site/a:1@b", "/locks/site%2Fa:1@b")];
        for (name, expected) in cases {
            assert_eq!(path(&name.parse().unwrap()), expected);
        }
    }

    #[test]
    fn permits_are_a_positive_number_or_reset() {
        let valid = [
            "list",
            "list --start 5 --limit 10 --json",
            "show device/a",
            "clear a b",
            "set a --permits 3",
            "set class:cpu=2 --permits 3 --json",
            "set action:scan --reset",
        ];
        for line in valid {
            assert!(subcommand::<LocksCommand>(line).is_ok(), "{line}");
        }
        let invalid = [
            "",
            "list --limit 1001",
            "show",
            "show a=b",
            "clear",
            "set a",
            "set a --permits 0",
            "set a --permits none",
            "set a --permits 3 --reset",
            "set class:what --permits 3",
        ];
        for line in invalid {
            assert!(subcommand::<LocksCommand>(line).is_err(), "{line}");
        }
    }
}
