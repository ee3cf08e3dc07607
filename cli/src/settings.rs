//! `capstan settings`: how long finished jobs are kept, and how much may wait.

use clap::{Args, Subcommand};
use client::command::{CommandOutcome, CommandResult, print};
use client::{ApiClient, escape};
use domain::job::GoDuration;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::flags::{OutputFlags, body};
use crate::record::plain;

/// The commands on settings.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings
    Get(OutputFlags),
    /// Change settings and show all of them
    Set(SetArguments),
}

/// The arguments of `settings set`.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    changes: Changes,

    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Debug, Args, Serialize)]
#[group(required = true, multiple = true)]
#[serde(rename_all = "camelCase")]
struct Changes {
    /// Whether finished jobs are removed at all
    #[arg(long = "compaction", value_name = "BOOL")]
    job_history_compaction_enabled: Option<bool>,

    /// Number of finished jobs to keep; 0 is no limit
    #[arg(long = "keep", value_name = "N")]
    job_history_to_keep: Option<u64>,

    /// Time to keep finished jobs, for example 720h; an empty string is no limit
    #[arg(long = "max-age", value_name = "DURATION")]
    job_history_max_age: Option<GoDuration>,

    /// Value that Capstan stores for other clients and does not use
    #[arg(long, value_name = "N")]
    scanning_deadline: Option<u64>,

    /// Number of waiting jobs that one submitter may have; 0 is no limit
    #[arg(long, value_name = "N")]
    max_waiting_jobs: Option<u64>,

    /// Number of bytes that their specifications may have together; 0 is no limit
    #[arg(long, value_name = "N")]
    max_waiting_bytes: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: SettingsCommand) -> CommandResult {
    let (settings, output): (Value, OutputFlags) = match command {
        SettingsCommand::Get(output) => (api.get("/meta/settings").await?, output),
        SettingsCommand::Set(arguments) => {
            (api.post("/meta/settings", &body(&arguments.changes)?).await?, arguments.output)
        }
    };
    let names: Vec<Value> =
        settings.as_object().into_iter().flatten().map(|(name, _)| json!(name)).collect();
    if !output.print(&settings, &names.iter().collect::<Vec<_>>())? {
        print(settings.as_object().map(layout).unwrap_or_default())?;
    }
    Ok(CommandOutcome::Success)
}

/// Lists every setting, one per line, including those without a value.
fn layout(settings: &Map<String, Value>) -> String {
    let lines =
        settings.iter().map(|(name, value)| format!("{name:<28} {}", escape(&plain(value))));
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use expect_test::expect;

    fn sent(words: &[&str]) -> Result<Value, clap::Error> {
        Ok(json!(body(&arguments::<SetArguments>(words)?.changes).unwrap()))
    }

    #[test]
    fn only_given_changes_are_sent_and_one_is_required() {
        assert_eq!(sent(&["--keep", "5"]).unwrap(), json!({"jobHistoryToKeep": 5}));
        assert_eq!(sent(&["--max-waiting-jobs", "9"]).unwrap(), json!({"maxWaitingJobs": 9}));
        let words = ["--compaction", "false", "--max-age", "", "--scanning-deadline", "3"];
        let expected = json!({
            "jobHistoryCompactionEnabled": false, "jobHistoryMaxAge": "", "scanningDeadline": 3,
        });
        assert_eq!(sent(&words).unwrap(), expected);
        let invalid: [&[&str]; 5] =
            [&[], &["--json"], &["--keep", "-1"], &["--max-age", "1d"], &["--compaction", "maybe"]];
        for words in invalid {
            assert_eq!(sent(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn each_setting_is_one_line() {
        let settings = json!({"jobHistoryMaxAge": "", "jobHistoryToKeep": 5});
        expect![[r#"
            jobHistoryMaxAge
            jobHistoryToKeep             5
        "#]]
        .assert_eq(&(layout(settings.as_object().unwrap()) + "\n"));
    }
}
