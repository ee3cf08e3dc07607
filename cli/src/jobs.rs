//! `capstan jobs`: one file for each of its commands.

mod cancel;
mod change;
mod delete;
mod filters;
mod list;
mod logs;
pub(crate) mod parameters;
mod relations;
mod retry;
mod rules;
pub(crate) mod show;
mod submit;
pub(crate) mod wait;

use clap::Subcommand;

use crate::api::Api;
use crate::failure::{Ending, Failure};

/// What `jobs` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Submit a job and print its id
    Submit(Box<submit::SubmitArguments>),
    /// List jobs, the last scheduled first
    List(list::ListArguments),
    /// Show all that is known of a job
    Show(show::ShowArguments),
    /// Change a job that waits: how urgent it is, when it is due
    Change(change::ChangeArguments),
    /// Print a job's log
    Logs(logs::LogsArguments),
    /// Wait until jobs are over, retries included; exits 0 only if all of them ended as done
    Wait(wait::WaitArguments),
    /// Cancel jobs: the ones named, or all that match
    Cancel(cancel::CancelArguments),
    /// Delete jobs with their logs; one that runs is cancelled first
    Delete(delete::DeleteArguments),
    /// Try jobs again that are over, and print the ids of the new ones
    Retry(retry::RetryArguments),
}

/// Does it.
pub(crate) async fn run(api: &Api, command: JobsCommand) -> Result<Ending, Failure> {
    match command {
        JobsCommand::Submit(arguments) => submit::run(api, &arguments).await,
        JobsCommand::List(arguments) => list::run(api, &arguments).await,
        JobsCommand::Show(arguments) => show::run(api, &arguments).await,
        JobsCommand::Change(arguments) => change::run(api, &arguments).await,
        JobsCommand::Logs(arguments) => logs::run(api, &arguments).await,
        JobsCommand::Wait(arguments) => wait::run(api, &arguments).await,
        JobsCommand::Cancel(arguments) => cancel::run(api, &arguments).await,
        JobsCommand::Delete(arguments) => delete::run(api, &arguments).await,
        JobsCommand::Retry(arguments) => retry::run(api, &arguments).await,
    }
}
