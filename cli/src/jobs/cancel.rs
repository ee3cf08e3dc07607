//! `capstan jobs cancel`.

use clap::Args;
use serde::{Deserialize, Serialize};
use shared::job::JobId;

use super::filters::Filters;
use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};
use crate::out;

/// What `jobs cancel` is told.
#[derive(Debug, Args)]
pub(crate) struct CancelArguments {
    /// The jobs; without any, all that match the filters and wait or run
    #[arg(value_name = "ID")]
    ids: Vec<JobId>,

    #[command(flatten)]
    filters: Filters,

    /// Every job that waits or runs
    #[arg(long, conflicts_with = "ids")]
    all: bool,

    /// Print how many were cancelled as JSON; for filters
    #[arg(long, conflicts_with = "ids")]
    json: bool,
}

/// What the API answers, and what is printed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cancelled {
    cancelled: u64,
    /// The API's time was over before the end.
    #[serde(default, skip_serializing)]
    more: bool,
}

impl CancelArguments {
    /// The filters as the API takes them; `None` when jobs are named.
    fn query(&self) -> Result<Option<Vec<(&'static str, String)>>, Failure> {
        let mut query = self.filters.query();
        if self.all {
            query.push(("all", "true".to_owned()));
        }
        match (self.ids.is_empty(), query.is_empty()) {
            (false, true) => Ok(None),
            (true, false) => Ok(Some(query)),
            (false, false) => Err(Failure::Usage("name jobs, or give filters, not both".into())),
            (true, true) => Err(Failure::Usage(
                "name jobs, or give a filter like --action, or say --all".to_owned(),
            )),
        }
    }
}

/// Cancels jobs.
pub(crate) async fn run(api: &Api, arguments: &CancelArguments) -> Result<Ending, Failure> {
    let Some(query) = arguments.query()? else {
        let cancel = async |id| api.command(&format!("/jobs/{id}/cancel")).await;
        return each(&arguments.ids, cancel).await;
    };
    let mut all = Cancelled::default();
    loop {
        let some: Cancelled = api.ask_for("/jobs/cancel", &query).await?;
        all.cancelled += some.cancelled;
        if !some.more {
            break;
        }
    }
    if arguments.json {
        out::say_json(&all)?;
    } else {
        out::say(format!("{} cancelled", all.cancelled))?;
    }
    Ok(Ending::Well)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::jobs::JobsCommand;
    use clap::Parser;

    fn parsed(line: &str) -> Result<CancelArguments, clap::Error> {
        let line = ["capstan", "jobs", "cancel"].into_iter().chain(line.split_whitespace());
        let command = Arguments::try_parse_from(line)?.command;
        let Command::Jobs(JobsCommand::Cancel(arguments)) = command else { panic!("{command:?}") };
        Ok(arguments)
    }

    #[test]
    fn jobs_are_named_or_matched_and_all_of_them_only_by_that_word() {
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
                query.iter().map(|(n, value)| format!("{n}={value}")).collect();
            assert_eq!(query.join(" "), expected, "{line}");
        }
        for line in ["", &format!("{id} --action gc"), "--json"] {
            assert_eq!(parsed(line).unwrap().query().unwrap_err().code(), 2, "{line}");
        }
        for line in ["no-id", &format!("{id} --all"), "--limit 5", "--status finished"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
