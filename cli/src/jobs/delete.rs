//! `capstan jobs delete`.

use clap::Args;
use shared::job::JobId;

use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};

/// What `jobs delete` is told.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// The jobs
    #[arg(value_name = "ID", required = true)]
    ids: Vec<JobId>,
}

/// Deletes jobs.
pub(crate) async fn run(api: &Api, arguments: &DeleteArguments) -> Result<Ending, Failure> {
    each(&arguments.ids, async |id| api.delete(&format!("/jobs/{id}")).await).await
}
