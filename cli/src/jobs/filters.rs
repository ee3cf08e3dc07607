//! Which jobs a command is about, for those that are about many.

use clap::Args;
use shared::job::{ActionName, Status, Timestamp, WorkerId};

/// Filters; together they name what matches all of them.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// Only of this action
    #[arg(long)]
    action: Option<ActionName>,

    /// Only what this worker claimed
    #[arg(long, value_name = "ID")]
    worker: Option<WorkerId>,

    /// Only jobs that run; with =false only jobs that do not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    running: Option<bool>,

    /// Only in these statuses, like waiting,error
    #[arg(long, value_delimiter = ',', value_name = "STATUS,…")]
    status: Vec<Status>,

    /// Only due at this time or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,

    /// Only due at this time or earlier, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

impl Filters {
    /// As the API takes them; empty when there are none.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let statuses: Vec<&str> = self.status.iter().map(|status| status.as_str()).collect();
        let given = [
            ("action", self.action.as_ref().map(ToString::to_string)),
            ("worker", self.worker.as_ref().map(ToString::to_string)),
            ("running", self.running.map(|running| running.to_string())),
            ("status", Some(statuses.join(",")).filter(|text| !text.is_empty())),
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
