//! `capstan jobs delete`.

use clap::Args;
use client::ApiClient;
use client::command::CommandResult;

use crate::references::{JobReference, resolve_jobs};
use crate::requests::each;

/// The arguments of `jobs delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// Numbers or IDs of the jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<JobReference>,
}

/// Deletes jobs.
pub(super) async fn run(api: &ApiClient, arguments: &DeleteArguments) -> CommandResult {
    let ids = resolve_jobs(api, &arguments.jobs).await?;
    each(&ids, async |id| Ok(api.delete(&format!("/jobs/{id}")).await?)).await
}
