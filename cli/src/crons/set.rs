//! `capstan crons set`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use client::command::CommandError;
use domain::cron::{CronName, Misfire, Overlap, Schedule, TimeZone};
use domain::job::{ActionName, GoDuration};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::flags::{JobTemplate, OutputFlags, body};

/// The arguments of `crons set`, and the fields of the request.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetArguments {
    /// Name of the cron
    name: CronName,

    /// When to fire: a cron expression ("0 30 3 * * *", "*/15 * * * *"), @daily, "@every 90s"; see
    /// `capstan crons explain`
    schedule: Schedule,

    /// Action to run [default: the name of the cron]
    #[arg(long)]
    action: Option<ActionName>,

    /// Time zone of the schedule, for example Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<TimeZone>,

    /// What to do about ticks that passed while no scheduler was running [default: once]
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(Misfire::WORDS)
    )]
    misfire: Option<String>,

    /// What to do about a tick while an earlier job of the cron has not finished [default: allow]
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(Overlap::WORDS)
    )]
    overlap: Option<String>,

    /// Spread jobs over this long after their tick
    #[arg(long, value_name = "DURATION")]
    jitter: Option<GoDuration>,

    /// Whether the cron is paused [default: unchanged]
    #[arg(long, value_name = "BOOL")]
    paused: Option<bool>,

    #[command(flatten)]
    #[serde(skip)]
    pub(super) output: OutputFlags,

    #[command(flatten, next_help_heading = "Job")]
    #[serde(flatten)]
    template: JobTemplate,
}

impl SetArguments {
    /// The request body.
    pub(super) fn body(&self) -> Result<Map<String, Value>, CommandError> {
        let mut fields = body(self)?;
        fields.entry("action").or_insert_with(|| json!(self.name));
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    fn sent(words: &[&str]) -> Value {
        json!(arguments::<SetArguments>(words).unwrap().body().unwrap())
    }

    #[test]
    fn only_given_arguments_are_sent() {
        let expected = json!({"name": "gc", "action": "gc", "schedule": "@daily"});
        assert_eq!(sent(&["gc", "@daily"]), expected);
        let words = [
            "night",
            "30 3 * * *",
            "--action=scan",
            "--time-zone=Europe/Berlin",
            "--misfire=all",
            "--overlap=queue",
            "--jitter=30s",
            "-p",
            "depth:=3",
            "--capacity=scan=1",
            "--retries=2",
            "--deadline=15m",
            "--priority=low",
            "--lock=devices",
            "--paused=true",
        ];
        let expected = json!({
            "name": "night", "action": "scan", "schedule": "30 3 * * *", "misfire": "all",
            "timeZone": "Europe/Berlin", "overlap": "queue", "jitter": "30s", "retries": 2,
            "parameters": {"depth": 3}, "capacityMap": {"scan": 1}, "deadline": "15m",
            "priority": "low", "paused": true, "locks": {"devices": 1},
        });
        assert_eq!(sent(&words), expected);
    }

    #[test]
    fn invalid_arguments_are_rejected_before_anything_is_sent() {
        let invalid: [&[&str]; 3] =
            [&["a", "* * *"], &["a b", "@daily"], &["a", "@daily", "--misfire=twice"]];
        for words in invalid {
            assert!(arguments::<SetArguments>(words).is_err(), "{words:?}");
        }
    }
}
