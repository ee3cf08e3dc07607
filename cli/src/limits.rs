//! `capstan limits`: rate limits, and how much of each is used up.

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use client::wire::Limit;
use domain::job::GoDuration;
use domain::limit::LimitName;
use serde::Serialize;

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
pub(crate) struct SetArguments {
    /// Key that jobs name, or the first part of such keys and a star, like 'mail-*'
    name: LimitName,

    /// Number of starts
    #[arg(long, value_name = "N")]
    rate: u32,

    /// Time in which as many jobs may start, for example 1s or 1m
    #[arg(long, value_name = "DURATION")]
    per: GoDuration,

    /// Number of jobs that may start at once [default: 1]
    #[arg(long, value_name = "N")]
    burst: Option<u32>,

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
        Column::new("STARTS", "number of starts that are allowed in a time", |one| {
            format!("{} per {}", one.rate, one.per)
        }),
        Column::new("BURST", "starts that are allowed at once", |one| one.burst.to_string()),
        Column::new("LEVEL", "how much of the burst is used up", |one| number(one.level)),
        Column::new("WAITING", "jobs that wait for it", |one| number(one.waiting)),
        Column::new("NEXT START", "when the next job may start", |one| {
            one.next_at.clone().unwrap_or_default()
        }),
    ],
};

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

const FIELDS: [&str; 7] = ["name", "rate", "per", "burst", "level", "waiting", "nextAt"];

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
