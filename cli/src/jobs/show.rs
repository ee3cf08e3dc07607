//! `capstan jobs show`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use domain::job::JobId;

use crate::record::print_record;

/// The arguments of `jobs show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// ID of the job
    id: JobId,

    /// Print the API's answer as JSON
    #[arg(long)]
    json: bool,
}

/// The fields of a job that people look for first, in their order.
pub(super) const FIRST_FIELDS: [&str; 19] = [
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
    "parameters",
    "capacityMap",
    "workerID",
    "scheduledAt",
    "createdAt",
    "startedAt",
    "finishedAt",
];

/// Shows a job.
pub(super) async fn run(api: &ApiClient, arguments: &ShowArguments) -> CommandResult {
    let job = api.get(&format!("/jobs/{}", arguments.id)).await?;
    print_record(&job, &FIRST_FIELDS, arguments.json)?;
    Ok(CommandOutcome::Success)
}
