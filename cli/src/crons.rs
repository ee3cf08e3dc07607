//! `capstan crons`: listing, changing, pausing and running crons.

mod explain;
mod set;

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, print};
use client::wire::Cron;
use domain::cron::CronName;
use domain::job::Timestamp;
use serde_json::{Map, Value};

use crate::columns::{Column, columns_help};
use crate::flags::{OutputFlags, Paging};
use crate::record::{plain, print_new_job, print_record};
use crate::requests::{List, print_list};

const SET_EXAMPLES: &str = "\
Examples:
  capstan crons set gc @daily
  capstan crons set night \"0 30 3 * * MON-FRI\" --action scan --time-zone Europe/Berlin
  capstan crons set poll \"@every 90s\" --overlap skip --jitter 10s
  capstan crons set poll --schedule \"@every 5m\"    # changes only the schedule";

/// The commands on crons.
#[derive(Debug, Subcommand)]
pub(crate) enum CronsCommand {
    /// List crons by name
    #[command(after_help = columns_help(CRONS.columns))]
    List(ListArguments),
    /// Create or update a cron; options that you omit keep their values
    #[command(after_help = SET_EXAMPLES)]
    Set(Box<set::SetArguments>),
    /// Show a cron
    Show(OneCron),
    /// Delete a cron; jobs that it created are kept
    Delete(OneCron),
    /// Create a job of a cron now and print its ID
    Run(OneCron),
    /// Stop a cron from firing
    ///
    /// Ticks that pass while it is paused are not made up for.
    Pause(OneCron),
    /// Let a paused cron fire again
    Resume(OneCron),
    /// Print the next ticks of a cron
    Next(NextArguments),
    /// Describe a cron expression in words, with its next ticks
    ///
    /// Works without a running fleet.
    Explain(explain::ExplainArguments),
}

/// The arguments of `crons list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    paging: Paging<1000>,

    #[command(flatten)]
    output: OutputFlags,
}

/// The arguments of a command on one cron.
#[derive(Debug, Args)]
pub(crate) struct OneCron {
    /// Name of the cron
    name: CronName,

    #[command(flatten)]
    output: OutputFlags,
}

impl OneCron {
    fn path(&self, rest: &str) -> String {
        format!("/crons/{}{rest}", self.name)
    }
}

/// The arguments of `crons next`.
#[derive(Debug, Args)]
pub(crate) struct NextArguments {
    /// Name of the cron
    name: CronName,

    /// Number of ticks
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(..=1000)
    )]
    count: u32,

    #[command(flatten)]
    output: OutputFlags,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: CronsCommand) -> CommandResult {
    match command {
        CronsCommand::List(arguments) => {
            print_list(api, &CRONS, &arguments.paging.query(), arguments.output).await?;
        }
        CronsCommand::Set(arguments) => {
            show(&arguments.send(api).await?, arguments.output)?;
        }
        CronsCommand::Show(one) => show(&api.get(&one.path("")).await?, one.output)?,
        CronsCommand::Delete(one) => api.delete(&one.path("")).await?,
        CronsCommand::Run(one) => {
            let job: Value = api.post_query(&one.path("/run"), &[]).await?;
            print_new_job(&job, one.output)?;
        }
        CronsCommand::Pause(one) => {
            show(&api.post_query(&one.path("/pause"), &[]).await?, one.output)?;
        }
        CronsCommand::Resume(one) => {
            show(&api.post_query(&one.path("/resume"), &[]).await?, one.output)?;
        }
        CronsCommand::Next(arguments) => {
            let query = [("count", arguments.count.to_string())];
            let page = api.page(&format!("/crons/{}/next", arguments.name), &query).await?;
            let ticks: Vec<&Value> = page.body["next"].as_array().into_iter().flatten().collect();
            if !arguments.output.print(&page.body, &ticks)? {
                for tick in page.items::<Timestamp>("next")? {
                    print(tick)?;
                }
            }
        }
        CronsCommand::Explain(arguments) => explain::run(&arguments)?,
    }
    Ok(CommandOutcome::Success)
}

fn show(cron: &Value, output: OutputFlags) -> Result<(), CommandError> {
    const FIRST_FIELDS: [&str; 8] =
        ["name", "action", "schedule", "timeZone", "nextRun", "paused", "lastRun", "lastSkip"];
    print_record(cron, &FIRST_FIELDS, output)
}

const CRONS: List<Cron> = List {
    path: "/crons",
    key: "crons",
    name: "name",
    columns: &[
        Column::whole("NAME", "name of the cron", |one: &Cron| one.name.clone()),
        Column::new("ACTION", "action of its jobs", |one| one.action.clone()),
        Column::new("SCHEDULE", "when it fires", |one| one.schedule.clone()),
        Column::new("TIME ZONE", "time zone of the schedule", |one| one.time_zone.clone()),
        Column::new("NEXT RUN", "when it fires next; `paused` or `never`", next_run),
        Column::new("LAST RUN", "when it last fired", |one| {
            one.last_run.map(|last| last.to_string()).unwrap_or_default()
        }),
        Column::new("FIRED", "times that it fired", |one| one.fired.to_string()),
        Column::new("SKIPPED", "ticks at which it did not fire", |one| one.skipped.to_string()),
        Column::new("LAST SKIP", "why it last skipped a tick", |one| {
            let reason = |skip: &Map<String, Value>| skip.get("reason").map(plain);
            one.last_skip.as_ref().and_then(reason).unwrap_or_default()
        }),
        Column::new("SOURCE", "`file` if the schedulers' cron file declares it", |one| {
            if one.declared { "file" } else { "" }.to_owned()
        }),
    ],
};

fn next_run(cron: &Cron) -> String {
    let without_next = if cron.paused { "paused" } else { "never" };
    cron.next_run.map_or_else(|| without_next.to_owned(), |next| next.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn each_cron_is_one_row() {
        let crons = json!([
            {"name": "gc", "action": "gc", "schedule": "0 0 1 * * 6", "timeZone": "UTC",
             "nextRun": "2018-04-28T01:00:00Z", "lastRun": "2018-04-21T01:00:00Z", "fired": 12,
             "skipped": 1, "lastSkip": {"reason": "overlap"}, "declared": true},
            {"name": "b", "action": "scan", "schedule": "@daily", "paused": true, "nextRun": null},
        ]);
        let crons: Vec<Cron> = serde_json::from_value(crons).unwrap();
        expect![[r#"
            NAME  ACTION  SCHEDULE     TIME ZONE  NEXT RUN              LAST RUN              FIRED  SKIPPED  LAST SKIP  SOURCE
            gc    gc      0 0 1 * * 6  UTC        2018-04-28T01:00:00Z  2018-04-21T01:00:00Z  12     1        overlap    file
            b     scan    @daily                  paused                                      0      0
        "#]].assert_eq(&(lay_out(CRONS.columns, &crons, false, None) + "\n"));
    }
}
