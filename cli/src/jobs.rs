//! `capstan jobs`: one file per command.

mod cancel;
mod change;
mod delete;
mod input;
mod list;
mod logs;
mod relations;
mod retry;
mod rules;
mod show;
mod signal;
mod submit;
mod submit_lines;
mod wait;

use clap::Subcommand;
use client::ApiClient;
use client::command::CommandResult;

use crate::bulk::Selection;
use crate::columns::columns_help;

const SUBMIT_EXAMPLES: &str = "\
Examples:
  capstan jobs submit sleep -p seconds=5 --wait
  capstan jobs submit backup -p host=db-1 --capacity cpu=2 --deadline 1h --retries 3
  capstan jobs submit - <jobs.ndjson
  capstan jobs submit scan --at 2026-11-20T16:30:00Z --lock device-7 --unique-key device-7";

const CANCEL_EXAMPLES: &str = "\
Examples:
  capstan jobs cancel 17 1fcf4c0f
  capstan jobs cancel --action scan --status waiting
  capstan jobs cancel --all --yes";

const RETRY_EXAMPLES: &str = "\
Examples:
  capstan jobs retry 17 1fcf4c0f
  capstan jobs retry --status error --since 1h";

const SIGNAL_EXAMPLES: &str = "\
Examples:
  capstan jobs signal 17 approved
  capstan jobs signal 17 approved --body '{\"ticket\": \"NET-7\"}'
  capstan jobs signal 17 approved --link";

const DELETE_EXAMPLES: &str = "\
Examples:
  capstan jobs delete 17 1fcf4c0f
  capstan jobs delete --status done --until 24h --yes";

/// The commands on jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Submit a job and print its ID
    #[command(after_help = SUBMIT_EXAMPLES)]
    Submit(Box<submit::SubmitArguments>),
    /// List jobs, newest submitted first
    #[command(after_help = columns_help(list::JOBS.columns))]
    List(list::ListArguments),
    /// Show a job
    Show(show::ShowArguments),
    /// Change the priority or the time of a waiting job
    Change(change::ChangeArguments),
    /// Print the log of a job
    Logs(logs::LogsArguments),
    /// Wait until jobs and their retries have finished
    ///
    /// Prints how each job ended. Exits with 0 only if all of them succeeded.
    Wait(wait::WaitArguments),
    /// Cancel jobs by number, ID or filter
    #[command(after_help = CANCEL_EXAMPLES)]
    Cancel(Selection),
    /// Delete jobs and their logs, by number, ID or filter
    ///
    /// A running job is cancelled first.
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(Selection),
    /// Send a signal to a job that waits for it, or will
    ///
    /// The job continues in a new attempt, whose ID is printed. The first signal of a name wins.
    #[command(after_help = SIGNAL_EXAMPLES)]
    Signal(signal::SignalArguments),
    /// Retry finished jobs by number, ID or filter; print the IDs of the new ones
    ///
    /// With filters, jobs that are done are retried only if --status names done, and the number of
    /// new jobs is printed.
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(Selection),
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: JobsCommand) -> CommandResult {
    match command {
        JobsCommand::Submit(arguments) => submit::run(api, &arguments).await,
        JobsCommand::List(arguments) => list::run(api, &arguments).await,
        JobsCommand::Show(arguments) => show::run(api, &arguments).await,
        JobsCommand::Change(arguments) => change::run(api, &arguments).await,
        JobsCommand::Logs(arguments) => logs::run(api, &arguments).await,
        JobsCommand::Wait(arguments) => wait::run(api, &arguments).await,
        JobsCommand::Cancel(arguments) => cancel::run(api, &arguments).await,
        JobsCommand::Delete(arguments) => delete::run(api, &arguments).await,
        JobsCommand::Signal(arguments) => signal::run(api, &arguments).await,
        JobsCommand::Retry(arguments) => retry::run(api, &arguments).await,
    }
}
