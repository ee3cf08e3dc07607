//! `capstan jobs retry`.

use clap::Args;
use serde_json::Value;
use shared::job::JobId;

use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};
use crate::out;

/// What `jobs retry` is told.
#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    /// The jobs
    #[arg(value_name = "ID", required = true)]
    ids: Vec<JobId>,

    /// Print the new jobs as JSON instead of their ids
    #[arg(long)]
    json: bool,
}

/// Tries jobs again.
pub(crate) async fn run(api: &Api, arguments: &RetryArguments) -> Result<Ending, Failure> {
    each(&arguments.ids, async |id| {
        let job: Value = api.ask_for(&format!("/jobs/{id}/retry"), &[]).await?;
        if arguments.json {
            return out::say_json(&job);
        }
        out::say(out::plain(&job["id"]))
    })
    .await
}
