//! `capstan jobs cancel`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, print};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::filters::Filters;
use crate::flags::OutputFlags;
use crate::references::{JobReference, resolve_jobs};
use crate::requests::command_each;

/// The arguments of `jobs cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArguments {
    /// Jobs, by number or ID; without any, the waiting and running jobs that match the filters
    #[arg(value_name = "JOB")]
    jobs: Vec<JobReference>,

    #[command(flatten)]
    filters: Filters,

    /// Cancel every waiting and running job
    #[arg(long, conflicts_with = "jobs")]
    all: bool,

    #[command(flatten)]
    output: OutputFlags,
}

/// The number of cancelled jobs: the API's answer, and what is printed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cancelled {
    cancelled: u64,
    /// The API reached its time limit before it had cancelled all jobs.
    #[serde(default, skip_serializing)]
    more: bool,
}

impl CancelArguments {
    /// True if jobs are selected by the filters, false if they are given one by one.
    fn has_filters(&self) -> Result<bool, CommandError> {
        let error = match (self.jobs.is_empty(), self.filters.is_empty() && !self.all) {
            (false, true) => return Ok(false),
            (true, false) => return Ok(true),
            (false, false) => "pass either jobs or filters, not both",
            (true, true) => "pass jobs, a filter such as --action, or --all",
        };
        Err(CommandError::Usage(error.to_owned()))
    }

    async fn query(&self, api: &ApiClient) -> Result<Vec<(&'static str, String)>, CommandError> {
        let mut query = self.filters.query(api).await?;
        if self.all {
            query.push(("all", "true".to_owned()));
        }
        Ok(query)
    }
}

/// Cancels jobs.
pub(super) async fn run(api: &ApiClient, arguments: &CancelArguments) -> CommandResult {
    if !arguments.has_filters()? {
        let ids = resolve_jobs(api, &arguments.jobs).await?;
        return command_each(api, "/jobs", &ids, "cancel").await;
    }
    let query = arguments.query(api).await?;
    let mut all = Cancelled::default();
    loop {
        let some: Cancelled = api.post_query("/jobs/cancel", &query).await?;
        all.cancelled += some.cancelled;
        if !some.more {
            break;
        }
    }
    if !arguments.output.print(&json!(all), &[])? {
        print(format!("{} cancelled", all.cancelled))?;
    }
    Ok(CommandOutcome::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    fn parsed(line: &str) -> Result<CancelArguments, clap::Error> {
        arguments(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn jobs_are_given_by_id_or_by_filter_and_all_of_them_only_with_all() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        for line in [id, "7 1fcf 8"] {
            assert!(!parsed(line).unwrap().has_filters().unwrap(), "{line}");
        }
        for line in ["--all", "--action gc --status waiting", "--running=false --all"] {
            assert!(parsed(line).unwrap().has_filters().unwrap(), "{line}");
        }
        for line in ["", "7 --action gc", "--json"] {
            assert_eq!(parsed(line).unwrap().has_filters().unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["no-id", &format!("{id} --all"), "--limit 5", "--status finished"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
