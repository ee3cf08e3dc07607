//! `capstan jobs retry`.

use clap::Args;
use client::ApiClient;
use client::command::CommandResult;
use serde_json::Value;

use crate::flags::OutputFlags;
use crate::record::print_new_job;
use crate::references::{JobReference, resolve_jobs};
use crate::requests::each;

/// The arguments of `jobs retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    /// Numbers or IDs of the jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<JobReference>,

    #[command(flatten)]
    output: OutputFlags,
}

/// Retries jobs.
pub(super) async fn run(api: &ApiClient, arguments: &RetryArguments) -> CommandResult {
    let ids = resolve_jobs(api, &arguments.jobs).await?;
    each(&ids, async |id| {
        let job: Value = api.post_query(&format!("/jobs/{id}/retry"), &[]).await?;
        print_new_job(&job, arguments.output)
    })
    .await
}
