//! Other jobs that one which is submitted has to do with, and whose share it is in.

use clap::Args;
use serde::Serialize;
use shared::job::JobId;

/// What `jobs submit` is told of them, and what is sent.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relations {
    /// Jobs that have to be over before it runs
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<JobId>,

    /// How they have to be over: all done, or finished, whatever came of them; done unless given
    #[arg(long, value_parser = ["done", "finished"], requires = "depends_on")]
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<String>,

    /// The job whose child it is
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<JobId>,

    /// Whose share of its queue it is in: jobs of one share do not hold up those of others
    #[arg(long = "key", value_name = "KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    fairness_key: Option<String>,
}
