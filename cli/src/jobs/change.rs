//! `capstan jobs change`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use domain::job::{Priority, Timestamp};
use serde::Serialize;

use super::show::FIRST_FIELDS;
use crate::flags::{OutputFlags, body};
use crate::record::print_record;
use crate::references::JobReference;

/// The arguments of `jobs change`.
#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    /// Number or ID of the job
    job: JobReference,

    #[command(flatten)]
    changes: JobChanges,

    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Debug, Args, Serialize)]
#[group(required = true, multiple = true)]
#[serde(rename_all = "camelCase")]
struct JobChanges {
    /// Set the priority: high, normal or low
    #[arg(long)]
    priority: Option<Priority>,

    /// Set the time to run at, in RFC 3339, for example 2026-11-20T16:30:00Z
    #[arg(long = "at", value_name = "TIME")]
    scheduled_at: Option<Timestamp>,
}

/// Changes a job and shows it.
pub(super) async fn run(api: &ApiClient, arguments: &ChangeArguments) -> CommandResult {
    let path = format!("/jobs/{}", arguments.job.resolve(api).await?);
    let job = api.patch(&path, &body(&arguments.changes)?).await?;
    print_record(&job, &FIRST_FIELDS, arguments.output)?;
    Ok(CommandOutcome::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use serde_json::{Value, json};

    const ID: &str = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";

    fn sent(words: &[&str]) -> Result<Value, clap::Error> {
        Ok(json!(body(&arguments::<ChangeArguments>(words)?.changes).unwrap()))
    }

    #[test]
    fn only_given_changes_are_sent_and_one_is_required() {
        assert_eq!(sent(&[ID, "--priority", "high"]).unwrap(), json!({"priority": "high"}));
        let both = sent(&[ID, "--at", "2026-11-20T17:30:00+01:00", "--priority", "low"]);
        let expected = json!({"priority": "low", "scheduledAt": "2026-11-20T16:30:00Z"});
        assert_eq!(both.unwrap(), expected);
        let invalid: [&[&str]; 4] = [
            &[ID],
            &["--priority", "low"],
            &["me", "--priority", "low"],
            &[ID, "--priority", "urgent"],
        ];
        for words in invalid {
            assert_eq!(sent(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
