//! The flags of `jobs submit` that relate the job to others.

use clap::Args;
use client::ApiClient;
use client::command::CommandError;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::references::{JobReference, resolve_jobs};

/// Serialized as fields of the request body, without the jobs, whose ids may have to be looked up.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relations {
    /// Jobs that must have finished before this one runs
    #[arg(long, value_name = "JOB,...", value_delimiter = ',')]
    #[serde(skip)]
    depends_on: Vec<JobReference>,

    /// Whether the jobs of --depends-on must have succeeded (done, the default) or only finished
    #[arg(
        long,
        value_name = "CONDITION",
        value_parser = ["done", "finished"],
        requires = "depends_on"
    )]
    when: Option<String>,

    /// Job that becomes the parent of this one
    #[arg(long, value_name = "JOB")]
    #[serde(skip)]
    parent: Option<JobReference>,

    /// Fairness group: the jobs of one group do not hold up those of other groups
    #[arg(long, visible_alias = "key", value_name = "KEY")]
    fairness_key: Option<String>,
}

impl Relations {
    /// True if another job is named.
    pub(super) fn has_jobs(&self) -> bool {
        !self.depends_on.is_empty() || self.parent.is_some()
    }

    /// Adds the jobs to the request body.
    pub(super) async fn add_jobs(
        &self,
        api: &ApiClient,
        body: &mut Map<String, Value>,
    ) -> Result<(), CommandError> {
        if !self.depends_on.is_empty() {
            let ids = resolve_jobs(api, &self.depends_on).await?;
            body.insert("dependsOn".to_owned(), json!(ids));
        }
        if let Some(parent) = &self.parent {
            body.insert("parent".to_owned(), json!(parent.resolve(api).await?));
        }
        Ok(())
    }
}
