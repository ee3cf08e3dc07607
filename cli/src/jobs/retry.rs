//! `capstan jobs retry`.

use clap::Args;
use client::ApiClient;
use client::command::CommandResult;
use domain::job::JobId;
use serde_json::Value;

use crate::record::print_new_job;
use crate::requests::each;

/// The arguments of `jobs retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    /// IDs of the jobs
    #[arg(value_name = "ID", required = true)]
    ids: Vec<JobId>,

    /// Print the new jobs as JSON instead of their IDs
    #[arg(long)]
    json: bool,
}

/// Retries jobs.
pub(super) async fn run(api: &ApiClient, arguments: &RetryArguments) -> CommandResult {
    each(&arguments.ids, async |id| {
        let job: Value = api.post_query(&format!("/jobs/{id}/retry"), &[]).await?;
        print_new_job(&job, arguments.json)
    })
    .await
}
