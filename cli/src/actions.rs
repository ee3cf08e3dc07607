//! `capstan actions`: the configuration of actions, and pausing them.

use clap::{Args, Subcommand};
use client::command::{CommandError, CommandOutcome, CommandResult, note};
use client::wire::Worker;
use client::{ApiClient, ClientError};
use domain::capacity::CapacityMap;
use domain::job::{ActionName, GoDuration};
use serde::Serialize;
use serde_json::{Value, json};

use crate::columns::{Column, columns_help};
use crate::flags::{LockRequest, OutputFlags, ParameterFlags, body, by_name};
use crate::record::{plain, print_record};
use crate::requests::{List, command_each, print_document, print_table};

/// The commands on actions.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// List the configured and the paused actions
    #[command(after_help = columns_help(CONFIGS.columns))]
    List(OutputFlags),
    /// Configure an action; options that you omit keep their values
    ///
    /// Jobs of the action use these values unless they have their own.
    Set(Box<SetArguments>),
    /// Show the configuration of an action
    Show(OneAction),
    /// Delete the configuration of an action
    ///
    /// Jobs of the action use the defaults that its workers announce again.
    Delete(OneAction),
    /// Stop starting jobs of actions; running jobs continue
    Pause {
        /// Names of the actions
        #[arg(value_name = "ACTION", required = true)]
        actions: Vec<ActionName>,
    },
    /// Start jobs of paused actions again
    Resume {
        /// Names of the actions
        #[arg(value_name = "ACTION", required = true)]
        actions: Vec<ActionName>,
    },
}

/// The arguments of a command on one action.
#[derive(Debug, Args)]
pub(crate) struct OneAction {
    /// Name of the action
    action: ActionName,

    #[command(flatten)]
    output: OutputFlags,
}

/// The arguments of `actions set`, and the fields of the request.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetArguments {
    /// Name of the action
    action: ActionName,

    #[command(flatten)]
    parameters: ParameterFlags,

    /// Capacity a job uses while it runs, for example scan=1,cpu=2
    #[arg(long = "capacity", value_name = "TYPE=UNITS,...")]
    capacity_map: Option<CapacityMap>,

    /// Number of retries after a failure
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// Time limit of each run, for example 15m or 1h30m
    #[arg(long, value_name = "DURATION")]
    deadline: Option<GoDuration>,

    /// Time a run has to stop before it is killed
    #[arg(long, value_name = "DURATION")]
    stop_timeout: Option<GoDuration>,

    /// Rate limit under which its jobs start, with the number of starts that a job counts as if more
    /// than one: mail-{{tenant}}. Repeatable; replaces all
    #[arg(long = "rate", value_name = "KEY[=N]")]
    #[serde(serialize_with = "by_name")]
    rates: Vec<LockRequest>,

    #[command(flatten)]
    #[serde(skip)]
    output: OutputFlags,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: ActionsCommand) -> CommandResult {
    match command {
        ActionsCommand::List(output) => {
            list(api, output).await?;
        }
        ActionsCommand::Set(arguments) => {
            show(&set(api, &arguments).await?, arguments.output)?;
        }
        ActionsCommand::Show(one) => show(&api.get(&one.path()).await?, one.output)?,
        ActionsCommand::Delete(one) => api.delete(&one.path()).await?,
        ActionsCommand::Pause { actions } => {
            let outcome = command_each(api, "/actions", &actions, "pause").await?;
            note_unknown(api, &actions).await?;
            return Ok(outcome);
        }
        ActionsCommand::Resume { actions } => {
            return command_each(api, "/actions", &actions, "resume").await;
        }
    }
    Ok(CommandOutcome::Success)
}

/// Lists the configurations, and the paused actions that have none.
async fn list(api: &ApiClient, output: OutputFlags) -> Result<(), CommandError> {
    let page = api.page(CONFIGS.path, &[]).await?;
    if print_document(&CONFIGS, &page, output)? {
        return Ok(());
    }
    let paused = page.body["pausedActions"].as_array().cloned().unwrap_or_default();
    print_table(&CONFIGS, &with_paused(page.items(CONFIGS.key)?, paused), None, output)
}

/// Marks the paused actions, and adds those without a configuration.
fn with_paused(mut configs: Vec<Value>, mut paused: Vec<Value>) -> Vec<Value> {
    for config in &mut configs {
        let is_paused = paused.contains(&config["action"]);
        paused.retain(|action| *action != config["action"]);
        config["paused"] = Value::Bool(is_paused);
    }
    let others = paused.into_iter().map(|action| json!({"action": action, "paused": true}));
    configs.extend(others);
    configs
}

/// Warns about actions that no worker knows; their names may be misspelled.
async fn note_unknown(api: &ApiClient, actions: &[ActionName]) -> Result<(), CommandError> {
    let workers: Vec<Worker> = api.page("/workers", &[]).await?.items("workers")?;
    let is_known = |action: &str| {
        workers.iter().any(|worker| worker.actions.iter().any(|known| known == action))
    };
    for action in actions.iter().filter(|action| !is_known(action.as_str())) {
        note(format!("paused {action}, but no worker has an action with this name"));
    }
    Ok(())
}

/// Changes the configuration of an action. Creates it if there is none.
async fn set(api: &ApiClient, arguments: &SetArguments) -> Result<Value, CommandError> {
    let all = body(arguments)?;
    let mut change = all.clone();
    change.remove("action");
    match api.patch(&format!("/action_configs/{}", arguments.action), &change).await {
        Err(ClientError::Refused(refusal)) if refusal.code == "NO_SUCH_ACTION_CONFIG" => {
            Ok(api.post("/action_configs", &all).await?)
        }
        other => Ok(other?),
    }
}

impl OneAction {
    fn path(&self) -> String {
        format!("/action_configs/{}", self.action)
    }
}

fn show(config: &Value, output: OutputFlags) -> Result<(), CommandError> {
    print_record(config, &["action"], output)
}

const CONFIGS: List<Value> = List {
    path: "/action_configs",
    key: "actionConfigs",
    name: "action",
    columns: &[
        Column::whole("ACTION", "name of the action", |one: &Value| plain(&one["action"])),
        Column::new("CAPACITY", "capacity that a job uses", |one| plain(&one["capacityMap"])),
        Column::new("RETRIES", "retries after a failure", |one| plain(&one["retries"])),
        Column::new("DEADLINE", "time limit of a run", |one| plain(&one["deadline"])),
        Column::new("STOP TIMEOUT", "time to stop before a run is killed", |one| {
            plain(&one["stopTimeout"])
        }),
        Column::new("PARAMETERS", "default parameters", |one| plain(&one["parameters"])),
        Column::new("PAUSED", "`paused` while none of its jobs is started", |one| {
            if one["paused"] == true { "paused" } else { "" }.to_owned()
        }),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use crate::test_parser::subcommand;
    use expect_test::expect;

    #[test]
    fn only_given_arguments_are_sent() {
        let sent = |line| {
            let command = subcommand(line).unwrap();
            let ActionsCommand::Set(arguments) = command else { panic!("{command:?}") };
            json!(body(&arguments).unwrap())
        };
        assert_eq!(sent("set gc"), json!({"action": "gc"}));
        let expected = json!({
            "action": "gc", "parameters": {"a": "1", "b": [2]}, "capacityMap": {"scan": 1},
            "retries": 0,
        });
        assert_eq!(sent("set gc -p a=1 -p b:=[2] --capacity scan=1 --retries 0"), expected);
    }

    #[test]
    fn each_configuration_is_one_row() {
        let configs = [
            json!({"action": "gc", "capacityMap": {"scan": 1}, "retries": 2, "deadline": "15m"}),
            json!({"action": "scan", "parameters": {"a": "1"}, "retries": null}),
        ];
        let configs = with_paused(configs.into(), vec![json!("scan"), json!("sleep")]);
        expect![[r#"
            ACTION  CAPACITY    RETRIES  DEADLINE  STOP TIMEOUT  PARAMETERS  PAUSED
            gc      {"scan":1}  2        15m
            scan                                                 {"a":"1"}   paused
            sleep                                                            paused
        "#]]
        .assert_eq(&(lay_out(CONFIGS.columns, &configs, false, None) + "\n"));
    }
}
