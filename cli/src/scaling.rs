//! `capstan scaling`: how many workers of one shape are wanted.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use domain::capacity::CapacityMap;
use domain::settings::duration;
use serde_json::Value;

use crate::flags::OutputFlags;
use crate::record::print_record;

/// The arguments of `scaling`.
#[derive(Debug, Args)]
pub(crate) struct ScalingArguments {
    /// What each worker of the pool offers, for example scan=4,cpu=8
    #[arg(value_name = "CAPACITY")]
    capacity: CapacityMap,

    /// How long a ready job may wait for its start, for example 30s [default: no time]
    #[arg(long, value_name = "DURATION", value_parser = valid_duration)]
    start_within: Option<String>,

    #[command(flatten)]
    output: OutputFlags,
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, arguments: &ScalingArguments) -> CommandResult {
    let document: Value = api.get(&arguments.path()).await?;
    let first = ["wanted", "live", "because", "waiting", "running", "oldestReadyMs"];
    print_record(&document, &first, arguments.output)?;
    Ok(CommandOutcome::Success)
}

impl ScalingArguments {
    /// The path and query of the request. A capacity map and a duration need no escaping.
    fn path(&self) -> String {
        let within = self.start_within.iter().map(|within| format!("&startWithin={within}"));
        format!("/scaling?capacity={}{}", self.capacity, within.collect::<String>())
    }
}

/// Validates a duration and returns it unchanged, for use in a query.
fn valid_duration(text: &str) -> Result<String, String> {
    duration(text)?;
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    plain.then(|| text.to_owned()).ok_or_else(|| "use a form like 30s or 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    #[test]
    fn the_capacity_and_the_wait_become_a_query() {
        let parsed = |line: &str| {
            arguments::<ScalingArguments>(&line.split_whitespace().collect::<Vec<_>>())
        };
        let path = |line: &str| parsed(line).unwrap().path();
        assert_eq!(path("scan=4,cpu=8"), "/scaling?capacity=cpu=8,scan=4");
        assert_eq!(path("cpu=8 --start-within 1m30s"), "/scaling?capacity=cpu=8&startWithin=1m30s");
        for line in ["", "scan", "cpu=1 --start-within 0s", "cpu=1 --start-within soon&x=1"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
