//! `capstan jobs cancel`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, print, print_json};
use domain::job::JobId;
use serde::{Deserialize, Serialize};

use super::filters::Filters;
use crate::requests::command_each;

/// The arguments of `jobs cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArguments {
    /// IDs of the jobs; without any, the waiting and running jobs that match the filters
    #[arg(value_name = "ID")]
    ids: Vec<JobId>,

    #[command(flatten)]
    filters: Filters,

    /// Cancel every waiting and running job
    #[arg(long, conflicts_with = "ids")]
    all: bool,

    /// Print the number of cancelled jobs as JSON; with filters only
    #[arg(long, conflicts_with = "ids")]
    json: bool,
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
    /// The filters as query parameters, or `None` when jobs are given by ID.
    fn query(&self) -> Result<Option<Vec<(&'static str, String)>>, CommandError> {
        let mut query = self.filters.query();
        if self.all {
            query.push(("all", "true".to_owned()));
        }
        let error = match (self.ids.is_empty(), query.is_empty()) {
            (false, true) => return Ok(None),
            (true, false) => return Ok(Some(query)),
            (false, false) => "pass either job IDs or filters, not both",
            (true, true) => "pass job IDs, a filter such as --action, or --all",
        };
        Err(CommandError::Usage(error.to_owned()))
    }
}

/// Cancels jobs.
pub(super) async fn run(api: &ApiClient, arguments: &CancelArguments) -> CommandResult {
    let Some(query) = arguments.query()? else {
        return command_each(api, "/jobs", &arguments.ids, "cancel").await;
    };
    let mut all = Cancelled::default();
    loop {
        let some: Cancelled = api.post_query("/jobs/cancel", &query).await?;
        all.cancelled += some.cancelled;
        if !some.more {
            break;
        }
    }
    if arguments.json {
        print_json(&all)?;
    } else {
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
        assert_eq!(parsed(&format!("{id} {id}")).unwrap().query().unwrap(), None);
        let cases = [
            ("--all", "all=true"),
            ("--action gc --status waiting", "action=gc status=waiting"),
            ("--running=false --all", "running=false all=true"),
        ];
        for (line, expected) in cases {
            let query = parsed(line).unwrap().query().unwrap().unwrap();
            let query: Vec<String> =
                query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(query.join(" "), expected, "{line}");
        }
        for line in ["", &format!("{id} --action gc"), "--json"] {
            assert_eq!(parsed(line).unwrap().query().unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["no-id", &format!("{id} --all"), "--limit 5", "--status finished"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
