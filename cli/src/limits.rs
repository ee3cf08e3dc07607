//! `capstan limits`: rate limits, and how much of each is used up.

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use client::wire::Limit;
use domain::cron::TimeZone;
use domain::job::GoDuration;
use domain::limit::{LimitName, Window};
use serde::{Serialize, Serializer};

use crate::columns::{Column, columns_help};
use crate::flags::{OutputFlags, body};
use crate::record::print_record;
use crate::requests::{List, each, print_list};

/// The commands on rate limits.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// List rate limits by name, with the number of waiting jobs
    #[command(after_help = columns_help(LIMITS.columns))]
    List(OutputFlags),
    /// Set how many jobs may start in a time
    ///
    /// It applies at once to all jobs that name the key, also to those that wait.
    Set(SetArguments),
    /// Show a rate limit
    Show(OneLimit),
    /// Delete rate limits; jobs that wait for them become ready
    Delete {
        /// Names of the rate limits
        #[arg(value_name = "NAME", required = true)]
        names: Vec<LimitName>,
    },
}

/// The arguments of a command on one rate limit.
#[derive(Debug, Args)]
pub(crate) struct OneLimit {
    /// Name of the rate limit
    name: LimitName,

    #[command(flatten)]
    output: OutputFlags,
}

/// The arguments of `limits set`, and the fields of the request.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetArguments {
    /// Key that jobs name, or the first part of such keys and a star, like 'mail-*'
    name: LimitName,

    /// Number of starts in the time of --per, evenly spaced
    #[arg(long, value_name = "N", requires = "per", required_unless_present = "quota")]
    rate: Option<u32>,

    /// Time in which as many jobs may start, for example 1s or 1m
    #[arg(long, value_name = "DURATION", requires = "rate")]
    per: Option<GoDuration>,

    /// Number of jobs that may start at once [default: 1]
    #[arg(long, value_name = "N", requires = "rate")]
    burst: Option<u32>,

    /// Number of starts in each window of the calendar
    #[arg(long, value_name = "N", requires = "window", conflicts_with = "rate")]
    quota: Option<u32>,

    /// Window of the calendar: minute, hour, day, week (from Monday) or month
    #[arg(long, value_name = "WINDOW", requires = "quota")]
    #[serde(serialize_with = "as_text")]
    window: Option<Window>,

    /// Time zone in which windows begin and end [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "quota")]
    time_zone: Option<TimeZone>,

    #[command(flatten)]
    #[serde(skip)]
    output: OutputFlags,
}

const LIMITS: List<Limit> = List {
    path: "/limits",
    key: "limits",
    name: "name",
    columns: &[
        Column::whole("NAME", "key, or the first part of keys and a star", |one: &Limit| {
            one.name.clone()
        }),
        Column::new("STARTS", "number of starts that are allowed in a time", starts),
        Column::new("BURST", "starts that are allowed at once", |one| number(one.burst)),
        Column::new("LEVEL", "how much of the burst or quota is used up", |one| number(one.level)),
        Column::new("WAITING", "jobs that wait for it", |one| number(one.waiting)),
        Column::new("NEXT START", "when the next job may start", |one| {
            one.next_at.clone().unwrap_or_default()
        }),
    ],
};

fn starts(one: &Limit) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match one.quota {
        Some(quota) => format!("{quota} per {} ({})", text(&one.window), text(&one.time_zone)),
        None => format!("{} per {}", number(one.rate), text(&one.per)),
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field")]
fn as_text<S: Serializer>(window: &Option<Window>, serializer: S) -> Result<S::Ok, S::Error> {
    window.map(Window::as_str).serialize(serializer)
}

fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: LimitsCommand) -> CommandResult {
    match command {
        LimitsCommand::List(output) => print_list(api, &LIMITS, &[], output).await?,
        LimitsCommand::Set(arguments) => {
            let limit = api.post("/limits", &body(&arguments)?).await?;
            print_record(&limit, &FIELDS, arguments.output)?;
        }
        LimitsCommand::Show(one) => {
            print_record(&api.get(&path(&one.name)).await?, &FIELDS, one.output)?;
        }
        LimitsCommand::Delete { names } => {
            return each(&names, async |name| Ok(api.delete(&path(name)).await?)).await;
        }
    }
    Ok(CommandOutcome::Success)
}

/// Of the characters that a name may contain, only the slash must be escaped in a path.
fn path(name: &LimitName) -> String {
    format!("/limits/{}", name.as_str().replace('/', "%2F"))
}

const FIELDS: [&str; 10] =
    ["name", "rate", "per", "burst", "quota", "window", "timeZone", "level", "waiting", "nextAt"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::subcommand;

    #[test]
    fn a_limit_needs_a_rate_and_a_time() {
        for line in [
            "list",
            "set mail --rate 100 --per 1m",
            "set m-* --rate 1 --per 1s --burst 5 --json",
            "set geocoder --quota 1000 --window day --time-zone Europe/Berlin",
            "set geocoder --quota 1000 --window month",
            "show a/b",
            "delete a b",
        ] {
            assert!(subcommand::<LimitsCommand>(line).is_ok(), "{line}");
        }
        for line in [
            "",
            "set mail",
            "set mail --rate 1",
            "set mail --rate x --per 1m",
            "set mail --quota 1",
            "set mail --quota 1 --window year",
            "set mail --quota 1 --window day --time-zone Mars",
            "set mail --quota 1 --window day --rate 1 --per 1m",
            "set mail --rate 1 --per 1m --time-zone UTC",
            "set 'a b' --rate 1 --per 1s",
            "delete",
        ] {
            assert!(subcommand::<LimitsCommand>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_slash_in_a_name_is_escaped_in_the_path() {
        assert_eq!(path(&"site/a:1@b".parse().unwrap()), "/limits/site%2Fa:1@b");
    }
}
