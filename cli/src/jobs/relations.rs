//! The flags of `jobs submit` that relate the job to others.

use clap::Args;
use domain::job::JobId;
use serde::Serialize;

/// Serialized as fields of the request body.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relations {
    /// Jobs that must have finished before this one runs
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<JobId>,

    /// Whether the jobs of --depends-on must have succeeded (done, the default) or only finished
    #[arg(
        long,
        value_name = "CONDITION",
        value_parser = ["done", "finished"],
        requires = "depends_on"
    )]
    when: Option<String>,

    /// Job that becomes the parent of this one
    #[arg(long, value_name = "ID")]
    parent: Option<JobId>,

    /// Fairness group: the jobs of one group do not hold up those of other groups
    #[arg(long = "key", value_name = "KEY")]
    fairness_key: Option<String>,
}
