//! The filters of commands on many jobs.

use clap::Args;
use client::ApiClient;
use client::command::CommandError;
use domain::job::{ActionName, Status};

use crate::flags::TimeOrAge;
use crate::references::WorkerReference;

/// Selects the jobs that match every given filter.
#[derive(Debug, Args)]
pub(super) struct Filters {
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
}

impl Filters {
    /// True if no filter is given.
    pub(super) fn is_empty(&self) -> bool {
        self.worker.is_none() && self.given().is_empty()
    }

    /// The query parameters; empty when no filter is given.
    pub(super) async fn query(
        &self,
        api: &ApiClient,
    ) -> Result<Vec<(&'static str, String)>, CommandError> {
        let mut query = self.given();
        if let Some(worker) = &self.worker {
            query.push(("worker", worker.resolve(api).await?.to_string()));
        }
        Ok(query)
    }

    /// The query parameters without the worker.
    pub(super) fn given(&self) -> Vec<(&'static str, String)> {
        let statuses: Vec<&str> = self.status.iter().map(|status| status.as_str()).collect();
        let given = [
            ("action", self.action.as_ref().map(ToString::to_string)),
            ("running", self.running.map(|running| running.to_string())),
            ("status", Some(statuses.join(",")).filter(|text| !text.is_empty())),
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
