//! `capstan actions`: what jobs of an action have unless they say otherwise; actions that are paused.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};
use shared::capacity::CapacityMap;
use shared::job::{ActionName, Span};

use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};
use crate::jobs::parameters::{Parameter, Parameters, joined};
use crate::jobs::show::lines;
use crate::out;

/// What `actions` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// List what is configured, by action
    List(ListArguments),
    /// Configure an action, instead of what was configured of it before
    Set(Box<SetArguments>),
    /// Show what is configured of an action
    Show(OneAction),
    /// Forget what is configured of an action; what its workers announce holds again
    Delete(OneAction),
    /// Have no job of actions started until they are resumed; what runs goes on
    Pause {
        /// The actions
        #[arg(value_name = "ACTION", required = true)]
        actions: Vec<ActionName>,
    },
    /// Have jobs of actions started again
    Resume {
        /// The actions
        #[arg(value_name = "ACTION", required = true)]
        actions: Vec<ActionName>,
    },
}

/// What `actions list` is told.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What names one action.
#[derive(Debug, Args)]
pub(crate) struct OneAction {
    /// The action
    action: ActionName,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What `actions set` is told.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    one: OneAction,

    /// A parameter of its jobs: key=value is a text, key:=json any JSON value. May be repeated
    #[arg(short, long = "parameter", value_name = "KEY=VALUE")]
    parameter: Vec<Parameter>,

    /// All parameters at once, a JSON object
    #[arg(long, value_name = "JSON")]
    parameters: Option<Parameters>,

    /// What a job needs while it runs, like scan=1,cpu=2
    #[arg(long, value_name = "TYPE=UNITS,…")]
    capacity: Option<CapacityMap>,

    /// How often a job is tried again when it fails
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// How long a run may take; then it is stopped
    #[arg(long, value_name = "DURATION")]
    deadline: Option<Span>,

    /// How long it has between being asked to stop and being killed
    #[arg(long, value_name = "DURATION")]
    stop_timeout: Option<Span>,
}

/// What is sent; what was not given is left to the workers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    action: &'a ActionName,
    parameters: Option<Map<String, Value>>,
    capacity_map: Option<&'a CapacityMap>,
    retries: Option<u32>,
    deadline: Option<&'a Span>,
    stop_timeout: Option<&'a Span>,
}

/// Does it.
pub(crate) async fn run(api: &Api, command: ActionsCommand) -> Result<Ending, Failure> {
    match command {
        ActionsCommand::List(arguments) => {
            let answer: Value = api.get("/action_configs").await?;
            if arguments.json {
                out::say_json(&answer)?;
            } else {
                out::say(table(answer["actionConfigs"].as_array().map_or(&[], Vec::as_slice)))?;
            }
        }
        ActionsCommand::Set(arguments) => {
            let config: Map<String, Value> =
                api.post("/action_configs", &arguments.config()?).await?;
            show(&config, arguments.one.json)?;
        }
        ActionsCommand::Show(one) => show(&api.get(&one.path()).await?, one.json)?,
        ActionsCommand::Delete(one) => api.delete(&one.path()).await?,
        ActionsCommand::Pause { actions } => return steer(api, &actions, "pause").await,
        ActionsCommand::Resume { actions } => return steer(api, &actions, "resume").await,
    }
    Ok(Ending::Well)
}

async fn steer(api: &Api, actions: &[ActionName], what: &str) -> Result<Ending, Failure> {
    let actions: Vec<&ActionName> = actions.iter().collect();
    each(&actions, async |action| api.command(&format!("/actions/{action}/{what}")).await).await
}

impl OneAction {
    fn path(&self) -> String {
        format!("/action_configs/{}", self.action)
    }
}

impl SetArguments {
    fn config(&self) -> Result<Config<'_>, Failure> {
        let parameters = joined(self.parameters.clone(), &self.parameter);
        Ok(Config {
            action: &self.one.action,
            parameters: parameters.map_err(Failure::Usage)?,
            capacity_map: self.capacity.as_ref(),
            retries: self.retries,
            deadline: self.deadline.as_ref(),
            stop_timeout: self.stop_timeout.as_ref(),
        })
    }
}

/// One field a line.
fn show(config: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    if json {
        return out::say_json(config);
    }
    out::say(lines(config, &["action"]))
}

fn table(configs: &[Value]) -> String {
    const FIELDS: [&str; 6] =
        ["action", "capacityMap", "retries", "deadline", "stopTimeout", "parameters"];
    let rows = configs
        .iter()
        .map(|config| FIELDS.iter().map(|field| out::plain(&config[*field])).collect());
    out::table(&["ACTION", "CAPACITY", "RETRIES", "DEADLINE", "STOP", "PARAMETERS"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use clap::Parser;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn what_is_not_given_is_left_to_the_workers() {
        let line = "capstan actions set gc -p a=1 -p b:=[2] --capacity scan=1 --retries 0";
        let command = Arguments::try_parse_from(line.split(' ')).unwrap().command;
        let Command::Actions(ActionsCommand::Set(arguments)) = command else {
            panic!("{command:?}")
        };
        let expected = json!({
            "action": "gc", "parameters": {"a": "1", "b": [2]}, "capacityMap": {"scan": 1},
            "retries": 0, "deadline": null, "stopTimeout": null,
        });
        assert_eq!(json!(arguments.config().unwrap()), expected);
    }

    #[test]
    fn a_config_is_one_row() {
        let configs = [
            json!({"action": "gc", "capacityMap": {"scan": 1}, "retries": 2, "deadline": "15m"}),
            json!({"action": "scan", "parameters": {"a": "1"}, "retries": null}),
        ];
        expect![[r#"
            ACTION  CAPACITY    RETRIES  DEADLINE  STOP  PARAMETERS
            gc      {"scan":1}  2        15m
            scan                                         {"a":"1"}
        "#]]
        .assert_eq(&(table(&configs) + "\n"));
    }
}
