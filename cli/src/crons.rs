//! `capstan crons`: what fires when, and what it did.

mod explain;
mod set;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::cron::CronName;

use crate::api::{Api, Page};
use crate::failure::{Ending, Failure};
use crate::jobs::show::lines;
use crate::out;
use crate::wire::{Cron, Crons, Job, NextTicks};

/// What `crons` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum CronsCommand {
    /// List crons by name
    List(ListArguments),
    /// Make a cron, or change the one of that name
    Set(Box<set::SetArguments>),
    /// Show all that is known of a cron
    Show(OneCron),
    /// Delete a cron; jobs that it made go on
    Delete(OneCron),
    /// Make a job of a cron now, and print its id
    Run(OneCron),
    /// Keep a cron from firing; what would have fired meanwhile is not made up for
    Pause(OneCron),
    /// Let a paused cron fire again
    Resume(OneCron),
    /// Print the next ticks of a cron
    Next(NextArguments),
    /// Say a line in words, with its next firings; asks nobody
    Explain(explain::ExplainArguments),
}

/// What `crons list` is told.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// From which place of the list on
    #[arg(long, default_value_t = 0)]
    start: u32,

    /// How many at most
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=1000))]
    limit: u32,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What names one cron.
#[derive(Debug, Args)]
pub(crate) struct OneCron {
    /// The cron
    name: CronName,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What `crons next` is told.
#[derive(Debug, Args)]
pub(crate) struct NextArguments {
    /// The cron
    name: CronName,

    /// How many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1000))]
    count: u32,
}

/// Does it.
pub(crate) async fn run(api: &Api, command: CronsCommand) -> Result<Ending, Failure> {
    match command {
        CronsCommand::List(arguments) => list(api, &arguments).await?,
        CronsCommand::Set(arguments) => show(&set::set(api, &arguments).await?, arguments.json)?,
        CronsCommand::Show(one) => show(&api.get(&one.path("")).await?, one.json)?,
        CronsCommand::Delete(one) => api.delete(&one.path("")).await?,
        CronsCommand::Run(one) => run_now(api, &one).await?,
        CronsCommand::Pause(one) => show(&api.ask_for(&one.path("/pause"), &[]).await?, one.json)?,
        CronsCommand::Resume(one) => {
            show(&api.ask_for(&one.path("/resume"), &[]).await?, one.json)?;
        }
        CronsCommand::Next(arguments) => {
            let path = format!("/crons/{}/next", arguments.name);
            let query = [("count", arguments.count.to_string())];
            let page: Page<NextTicks> = api.page(&path, &query).await?;
            for tick in page.body.next {
                out::say(tick)?;
            }
        }
        CronsCommand::Explain(arguments) => explain::run(&arguments)?,
    }
    Ok(Ending::Well)
}

impl OneCron {
    fn path(&self, rest: &str) -> String {
        format!("/crons/{}{rest}", self.name)
    }
}

async fn run_now(api: &Api, one: &OneCron) -> Result<(), Failure> {
    let answer: Value = api.ask_for(&one.path("/run"), &[]).await?;
    if one.json {
        return out::say_json(&answer);
    }
    out::say(read::<Job>(&answer)?.id)
}

/// One field a line.
fn show(answer: &Value, json: bool) -> Result<(), Failure> {
    match answer.as_object().filter(|_| !json) {
        Some(cron) => out::say(lines(cron, &ORDER)),
        None => out::say_json(answer),
    }
}

/// The order in which people are shown the fields; what is not named comes after them.
const ORDER: [&str; 8] =
    ["name", "action", "schedule", "timeZone", "nextRun", "paused", "lastRun", "lastSkip"];

async fn list(api: &Api, arguments: &ListArguments) -> Result<(), Failure> {
    let query = [("start", arguments.start.to_string()), ("limit", arguments.limit.to_string())];
    let page: Page<Value> = api.page("/crons", &query).await?;
    if arguments.json {
        return out::say_json(&page.body);
    }
    let listed: Crons = read(&page.body)?;
    out::say(table(&listed.crons))?;
    if let Some(total) = page.total.filter(|total| *total > listed.crons.len() as u64) {
        out::note(format!("{} of {total}; see --start and --limit", listed.crons.len()));
    }
    Ok(())
}

fn read<T: for<'a> Deserialize<'a>>(answer: &Value) -> Result<T, Failure> {
    T::deserialize(answer)
        .map_err(|error| Failure::Away(format!("the API's answer cannot be read: {error}")))
}

fn table(crons: &[Cron]) -> String {
    let rows = crons.iter().map(|cron| {
        let next = cron.next_run.map(|next| next.to_string());
        let none = if cron.paused { "paused" } else { "never" };
        let skip = |skip: &Map<String, Value>| skip.get("reason").map(out::plain);
        vec![
            cron.name.clone(),
            cron.action.clone(),
            cron.schedule.clone(),
            cron.time_zone.clone(),
            next.unwrap_or_else(|| none.to_owned()),
            cron.last_run.map(|last| last.to_string()).unwrap_or_default(),
            cron.fired.to_string(),
            cron.skipped.to_string(),
            cron.last_skip.as_ref().and_then(skip).unwrap_or_default(),
            if cron.declared { "file" } else { "" }.to_owned(),
        ]
    });
    let header = [
        "NAME",
        "ACTION",
        "SCHEDULE",
        "ZONE",
        "NEXT RUN",
        "LAST RUN",
        "FIRED",
        "SKIPPED",
        "LAST SKIP",
        "FROM",
    ];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_cron_is_one_row() {
        let crons: Crons = read(&json!({"crons": [
            {"name": "gc", "action": "gc", "schedule": "0 0 1 * * 6", "timeZone": "UTC",
             "nextRun": "2018-04-28T01:00:00Z", "lastRun": "2018-04-21T01:00:00Z", "fired": 12,
             "skipped": 1, "lastSkip": {"reason": "overlap"}, "declared": true},
            {"name": "b", "action": "scan", "schedule": "@daily", "paused": true, "nextRun": null},
        ]}))
        .unwrap();
        expect![[r#"
            NAME  ACTION  SCHEDULE     ZONE  NEXT RUN              LAST RUN              FIRED  SKIPPED  LAST SKIP  FROM
            gc    gc      0 0 1 * * 6  UTC   2018-04-28T01:00:00Z  2018-04-21T01:00:00Z  12     1        overlap    file
            b     scan    @daily             paused                                      0      0
        "#]].assert_eq(&(table(&crons.crons) + "\n"));
    }
}
