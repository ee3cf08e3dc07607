//! `capstan jobs change`.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use shared::job::{JobId, Priority, Timestamp};

use super::show;
use crate::api::Api;
use crate::failure::{Ending, Failure};

/// What `jobs change` is told.
#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    /// The job
    id: JobId,

    #[command(flatten)]
    change: Change,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What is to be otherwise, and what is sent.
#[derive(Debug, Args, Serialize)]
#[group(required = true, multiple = true)]
#[serde(rename_all = "camelCase")]
struct Change {
    /// high, normal or low
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,

    /// When to run it, RFC 3339, like 2026-11-20T16:30:00Z
    #[arg(long = "at", value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<Timestamp>,
}

/// Changes a job, and shows it.
pub(crate) async fn run(api: &Api, arguments: &ChangeArguments) -> Result<Ending, Failure> {
    let path = format!("/jobs/{}", arguments.id);
    let job: Map<String, Value> = api.patch(&path, &arguments.change).await?;
    show::say(&job, arguments.json)?;
    Ok(Ending::Well)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::jobs::JobsCommand;
    use clap::Parser;
    use serde_json::json;

    const ID: &str = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";

    fn sent(line: &str) -> Result<Value, clap::Error> {
        let line = ["capstan", "jobs", "change"].into_iter().chain(line.split_whitespace());
        let command = Arguments::try_parse_from(line)?.command;
        let Command::Jobs(JobsCommand::Change(arguments)) = command else { panic!("{command:?}") };
        Ok(json!(arguments.change))
    }

    #[test]
    fn something_must_be_changed_and_only_that_is_sent() {
        assert_eq!(sent(&format!("{ID} --priority high")).unwrap(), json!({"priority": "high"}));
        let line = format!("{ID} --at 2026-11-20T17:30:00+01:00 --priority low");
        let expected = json!({"priority": "low", "scheduledAt": "2026-11-20T16:30:00Z"});
        assert_eq!(sent(&line).unwrap(), expected);
        let urgent = format!("{ID} --priority urgent");
        for line in [ID, "--priority low", "me --priority low", &urgent] {
            assert_eq!(sent(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
