//! `capstan jobs show`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};

use crate::flags::OutputFlags;
use crate::record::print_record;
use crate::references::JobReference;

/// The arguments of `jobs show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// Number or ID of the job
    job: JobReference,

    #[command(flatten)]
    output: OutputFlags,
}

/// The fields of a job that people look for first, in their order.
pub(super) const FIRST_FIELDS: [&str; 22] = [
    "id",
    "number",
    "action",
    "status",
    "waitingFor",
    "dependsOn",
    "parent",
    "children",
    "locks",
    "holds",
    "exception",
    "result",
    "checkpoint",
    "signal",
    "parameters",
    "labels",
    "capacityMap",
    "workerID",
    "scheduledAt",
    "createdAt",
    "startedAt",
    "finishedAt",
];

/// Shows a job.
pub(super) async fn run(api: &ApiClient, arguments: &ShowArguments) -> CommandResult {
    let id = arguments.job.resolve(api).await?;
    print_record(&api.get(&format!("/jobs/{id}")).await?, &FIRST_FIELDS, arguments.output)?;
    Ok(CommandOutcome::Success)
}
