//! `capstan settings`: how much of what is over is kept.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};
use shared::job::Span;

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;

/// What `settings` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Show the settings
    Get(GetArguments),
    /// Change some of them, and show all
    Set(SetArguments),
}

/// What `settings get` is told.
#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What `settings set` is told.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    changes: Changes,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What is to be changed.
#[derive(Debug, Args, Serialize)]
#[group(required = true, multiple = true)]
#[serde(rename_all = "camelCase")]
struct Changes {
    /// Whether jobs that are over are removed at all
    #[arg(long = "compaction", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    job_history_compaction_enabled: Option<bool>,

    /// So many of them stay; 0 is no limit
    #[arg(long = "keep", value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    job_history_to_keep: Option<u64>,

    /// They stay for so long after their end, like 720h; an empty text is no limit
    #[arg(long = "max-age", value_name = "DURATION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    job_history_max_age: Option<Span>,

    /// Kept for other clients; nothing follows from it
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    scanning_deadline: Option<u64>,
}

/// Shows or changes the settings.
pub(crate) async fn run(api: &Api, command: SettingsCommand) -> Result<Ending, Failure> {
    let (settings, json): (Map<String, Value>, bool) = match command {
        SettingsCommand::Get(arguments) => (api.get("/meta/settings").await?, arguments.json),
        SettingsCommand::Set(arguments) => {
            (api.post("/meta/settings", &arguments.changes).await?, arguments.json)
        }
    };
    if json {
        out::say_json(&settings)?;
    } else {
        out::say(lines(&settings))?;
    }
    Ok(Ending::Well)
}

fn lines(settings: &Map<String, Value>) -> String {
    let line = |(name, value): (&String, &Value)| format!("{name:<28} {}", out::plain(value));
    let lines: Vec<String> = settings.iter().map(line).collect();
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use clap::Parser;
    use expect_test::expect;
    use serde_json::json;

    fn sent(line: &[&str]) -> Result<Value, clap::Error> {
        let line = ["capstan", "settings", "set"].iter().chain(line);
        let command = Arguments::try_parse_from(line)?.command;
        let Command::Settings(SettingsCommand::Set(arguments)) = command else {
            panic!("{command:?}")
        };
        Ok(json!(arguments.changes))
    }

    #[test]
    fn only_what_was_given_is_changed_and_something_must_be() {
        assert_eq!(sent(&["--keep", "5"]).unwrap(), json!({"jobHistoryToKeep": 5}));
        let line = ["--compaction", "false", "--max-age", "", "--scanning-deadline", "3"];
        let changes = json!({
            "jobHistoryCompactionEnabled": false, "jobHistoryMaxAge": "", "scanningDeadline": 3,
        });
        assert_eq!(sent(&line).unwrap(), changes);
        let wrong: [&[&str]; 5] =
            [&[], &["--json"], &["--keep", "-1"], &["--max-age", "1d"], &["--compaction", "maybe"]];
        for line in wrong {
            assert_eq!(sent(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn a_setting_is_one_line() {
        let Value::Object(settings) = json!({"jobHistoryMaxAge": "", "jobHistoryToKeep": 5}) else {
            panic!();
        };
        expect![[r#"
            jobHistoryMaxAge
            jobHistoryToKeep             5
        "#]]
        .assert_eq(&(lines(&settings) + "\n"));
    }
}
