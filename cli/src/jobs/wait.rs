//! `capstan jobs wait`.

use std::time::Duration;

use clap::Args;
use client::command::{CommandOutcome, CommandResult, print};
use client::{ApiClient, FinishedJob, wait_for_jobs};
use domain::settings::duration;
use serde_json::Value;

use crate::flags::OutputFlags;
use crate::record::print_new_job;
use crate::references::{JobReference, resolve_jobs};

/// The arguments of `jobs wait`.
#[derive(Debug, Args)]
pub(crate) struct WaitArguments {
    /// Numbers or IDs of the jobs
    #[arg(required = true, value_name = "JOB")]
    jobs: Vec<JobReference>,

    /// Time limit, for example 60s [default: none]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,

    #[command(flatten)]
    output: OutputFlags,
}

/// Waits, and prints how each job ended.
pub(super) async fn run(api: &ApiClient, arguments: &WaitArguments) -> CommandResult {
    let ids = resolve_jobs(api, &arguments.jobs).await?;
    let finished = wait_for_jobs(api, &ids, arguments.timeout).await?;
    for one in &finished {
        if arguments.output.is_table() {
            print(one)?;
        } else {
            let job: Value = api.get(&format!("/jobs/{}", one.job.id)).await?;
            print_new_job(&job, arguments.output)?;
        }
    }
    Ok(CommandOutcome::success_if(finished.iter().all(FinishedJob::succeeded)))
}
