//! `capstan bulk`: changing all jobs that match filters, in operations that the API carries out.

mod change;
mod confirmation;
mod selection;
mod verb;

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use client::wire::BulkOperation;
use serde_json::Value;

use crate::columns::{Column, columns_help};
use crate::flags::OutputFlags;
use crate::record::print_record;
use crate::requests::{List, print_list};

pub(crate) use change::change_all;
pub(crate) use selection::{BulkFlags, Selection};
pub(crate) use verb::Verb;

const EXAMPLES: &str = "\
Examples:
  capstan bulk retry --status error --since 1h
  capstan bulk cancel --action scan --dry-run
  capstan bulk delete --status done --until 24h --yes";

/// The commands on many jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum BulkCommand {
    /// Cancel the waiting and running jobs that match filters
    #[command(after_help = EXAMPLES)]
    Cancel(BulkFlags),
    /// Retry the finished jobs that match filters
    ///
    /// Jobs that are done are retried only if --status names done.
    #[command(after_help = EXAMPLES)]
    Retry(BulkFlags),
    /// Delete the jobs that match filters, and their logs
    ///
    /// A running job is cancelled first.
    #[command(after_help = EXAMPLES)]
    Delete(BulkFlags),
    /// List the operations of the last day, newest first
    #[command(after_help = columns_help(OPERATIONS.columns))]
    List(OutputFlags),
    /// Show an operation and its progress
    Show(OneOperation),
    /// Stop an operation; what it has changed stays changed
    Stop(OneOperation),
}

/// The arguments of a command on one operation.
#[derive(Debug, Args)]
pub(crate) struct OneOperation {
    /// ID of the operation
    operation: String,

    #[command(flatten)]
    output: OutputFlags,
}

const OPERATIONS: List<BulkOperation> = List {
    path: "/bulk",
    key: "operations",
    name: "id",
    columns: &[
        Column::whole("ID", "id of the operation", |one: &BulkOperation| one.id.clone()),
        Column::new("OPERATION", "what it does: cancel, retry or delete", |one| {
            one.operation.clone()
        }),
        Column::new("STATE", "running, done or stopped", |one| one.state.clone()),
        Column::new("CHANGED", "number of jobs that it has changed", |one| one.changed.to_string()),
        Column::new("REFUSED", "number of matching jobs that it could not change", |one| {
            one.refused.values().sum::<u64>().to_string()
        }),
        Column::new("EXAMINED", "number of jobs that it has looked at, and of all", |one| {
            format!("{}/{}", one.examined, one.total)
        }),
        Column::new("REQUESTED BY", "owner of the token that created it", |one| {
            one.requested_by.clone()
        }),
        Column::new("CREATED AT", "when it was created", |one| one.created_at.to_string()),
        Column::wide("FINISHED AT", "when it was done or stopped", |one| {
            one.finished_at.map(|at| at.to_string()).unwrap_or_default()
        }),
        Column::wide("FILTER", "the jobs that it changes", |one| one.filter.to_string()),
    ],
};

/// The fields of an operation that people look for first, in their order.
const FIRST_FIELDS: [&str; 7] =
    ["id", "operation", "state", "filter", "changed", "refused", "examined"];

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: BulkCommand) -> CommandResult {
    let operation = match command {
        BulkCommand::Cancel(flags) => return change_all(api, Verb::Cancel, &flags).await,
        BulkCommand::Retry(flags) => return change_all(api, Verb::Retry, &flags).await,
        BulkCommand::Delete(flags) => return change_all(api, Verb::Delete, &flags).await,
        BulkCommand::List(output) => {
            print_list(api, &OPERATIONS, &[], output).await?;
            return Ok(CommandOutcome::Success);
        }
        BulkCommand::Show(one) => (api.get::<Value>(&path(&one.operation)).await?, one.output),
        BulkCommand::Stop(one) => {
            let stop = format!("{}/stop", path(&one.operation));
            (api.post_query(&stop, &[]).await?, one.output)
        }
    };
    print_record(&operation.0, &FIRST_FIELDS, operation.1)?;
    Ok(CommandOutcome::Success)
}

/// The path of an operation. Anything but an id is unknown to the API.
fn path(operation: &str) -> String {
    let id: String = operation.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_id = operation.chars().all(|one| one.is_ascii_hexdigit() || one == '-');
    format!("/bulk/{}", if is_id { operation } else { &id })
}
