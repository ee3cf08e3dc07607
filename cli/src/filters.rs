//! The filters of commands on many jobs.

use clap::Args;
use client::ApiClient;
use client::command::CommandError;
use domain::cron::CronName;
use domain::failure::Fingerprint;
use domain::job::{ActionName, Status};
use serde_json::{Map, Value, json};

use crate::flags::{LabelFlag, TimeOrAge};
use crate::references::{JobReference, WorkerReference};

/// Selects the jobs that match every given filter.
#[derive(Debug, Args)]
pub(crate) struct Filters {
    /// Only jobs of this action
    #[arg(long)]
    action: Option<ActionName>,

    /// Only jobs that this worker claimed
    #[arg(long, value_name = "WORKER")]
    worker: Option<WorkerReference>,

    /// Only running jobs; with =false, only jobs that are not running
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    running: Option<bool>,

    /// Only jobs with one of these statuses, for example waiting,error
    #[arg(long, value_delimiter = ',', value_name = "STATUS,...")]
    status: Vec<Status>,

    /// Only jobs scheduled since this time (RFC 3339) or within this long (1h, 90m)
    #[arg(long, value_name = "TIME")]
    since: Option<TimeOrAge>,

    /// Only jobs scheduled until this time (RFC 3339) or until this long ago (1h, 90m)
    #[arg(long, value_name = "TIME")]
    until: Option<TimeOrAge>,

    /// Only children of this job, or of a job that it continues
    #[arg(long, value_name = "JOB")]
    parent: Option<JobReference>,

    /// Only jobs with this label. Repeatable: all must match
    #[arg(long = "label", value_name = "NAME=TEXT")]
    labels: Vec<LabelFlag>,

    /// Only jobs that this cron created
    #[arg(long, value_name = "NAME")]
    cron: Option<CronName>,

    /// Only jobs that the token with this name submitted
    #[arg(long, value_name = "NAME")]
    scheduled_by: Option<String>,

    /// Only jobs with this fairness key
    #[arg(long, value_name = "KEY")]
    fairness_key: Option<String>,

    /// Only jobs that failed with this fingerprint, which `capstan failures` lists
    #[arg(long)]
    fingerprint: Option<Fingerprint>,
}

impl Filters {
    /// True if no filter is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.worker.is_none() && self.parent.is_none() && self.given().is_empty()
    }

    /// The query parameters; empty when no filter is given.
    pub(crate) async fn query(
        &self,
        api: &ApiClient,
    ) -> Result<Vec<(&'static str, String)>, CommandError> {
        let mut query = self.given();
        if let Some(worker) = &self.worker {
            query.push(("worker", worker.resolve(api).await?.to_string()));
        }
        if let Some(parent) = &self.parent {
            query.push(("parent", parent.resolve(api).await?.to_string()));
        }
        Ok(query)
    }

    /// The same as the `filter` of a bulk operation.
    pub(crate) async fn document(
        &self,
        api: &ApiClient,
    ) -> Result<Map<String, Value>, CommandError> {
        let mut document = Map::new();
        for (name, text) in self.query(api).await? {
            if name == "label" {
                let labels = document.entry(name).or_insert_with(|| json!([]));
                labels.as_array_mut().into_iter().for_each(|labels| labels.push(json!(text)));
                continue;
            }
            let value = match name {
                "running" => json!(text == "true"),
                "status" => json!(text.split(',').collect::<Vec<_>>()),
                _ => json!(text),
            };
            document.insert(name.to_owned(), value);
        }
        Ok(document)
    }

    /// The query parameters without those that have to be looked up.
    pub(crate) fn given(&self) -> Vec<(&'static str, String)> {
        let statuses: Vec<&str> = self.status.iter().map(|status| status.as_str()).collect();
        let given = [
            ("action", self.action.as_ref().map(ToString::to_string)),
            ("running", self.running.map(|running| running.to_string())),
            ("status", Some(statuses.join(",")).filter(|text| !text.is_empty())),
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
            ("cron", self.cron.as_ref().map(ToString::to_string)),
            ("scheduledBy", self.scheduled_by.clone()),
            ("fairnessKey", self.fairness_key.clone()),
            ("fingerprint", self.fingerprint.map(|one| one.to_string())),
        ];
        let labels = self.labels.iter().map(|LabelFlag(label)| ("label", label.to_string()));
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.chain(labels).collect()
    }
}
