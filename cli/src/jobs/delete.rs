//! `capstan jobs delete`.

use clap::Args;
use client::ApiClient;
use client::command::CommandResult;
use domain::job::JobId;

use crate::requests::each;

/// The arguments of `jobs delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// IDs of the jobs
    #[arg(value_name = "ID", required = true)]
    ids: Vec<JobId>,
}

/// Deletes jobs.
pub(super) async fn run(api: &ApiClient, arguments: &DeleteArguments) -> CommandResult {
    each(&arguments.ids, async |id| Ok(api.delete(&format!("/jobs/{id}")).await?)).await
}
