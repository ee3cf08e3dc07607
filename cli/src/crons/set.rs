//! `capstan crons set`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use client::command::CommandError;
use client::{ApiClient, ClientError};
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
    /// `capstan crons explain`. Required for a new cron
    schedule: Option<Schedule>,

    /// The same as SCHEDULE
    #[arg(long = "schedule", value_name = "SCHEDULE", conflicts_with = "schedule")]
    #[serde(skip)]
    named_schedule: Option<Schedule>,

    /// Action to run [default for a new cron: the name of the cron]
    #[arg(long)]
    action: Option<ActionName>,

    /// Time zone of the schedule, for example Europe/Berlin [default for a new cron: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<TimeZone>,

    /// What to do about ticks that passed while no scheduler was running [default for a new cron: once]
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(Misfire::WORDS)
    )]
    misfire: Option<String>,

    /// What to do about a tick while an earlier job of the cron has not finished [default for a new
    /// cron: allow]
    #[arg(
        long,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(Overlap::WORDS)
    )]
    overlap: Option<String>,

    /// Spread jobs over this long after their tick
    #[arg(long, value_name = "DURATION")]
    jitter: Option<GoDuration>,

    /// Whether the cron is paused
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
    /// Changes the cron. Creates it if there is none.
    pub(super) async fn send(&self, api: &ApiClient) -> Result<Value, CommandError> {
        let change = self.change()?;
        match api.patch(&format!("/crons/{}", self.name), &change).await {
            Err(ClientError::Refused(refusal)) if refusal.code == "NO_SUCH_CRON" => {
                if !change.contains_key("schedule") {
                    let message = format!("{refusal}; to create it, give a schedule");
                    return Err(CommandError::Usage(message));
                }
                Ok(api.post("/crons", &self.creation(change)).await?)
            }
            other => Ok(other?),
        }
    }

    /// The fields to change.
    fn change(&self) -> Result<Map<String, Value>, CommandError> {
        let mut fields = body(self)?;
        fields.remove("name");
        if let Some(schedule) = &self.named_schedule {
            fields.insert("schedule".to_owned(), json!(schedule));
        }
        Ok(fields)
    }

    /// The fields of a new cron.
    fn creation(&self, mut fields: Map<String, Value>) -> Map<String, Value> {
        fields.insert("name".to_owned(), json!(self.name));
        fields.entry("action").or_insert_with(|| json!(self.name));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    /// The fields of a change, and of a new cron.
    fn sent(words: &[&str]) -> (Value, Value) {
        let parsed = arguments::<SetArguments>(words).unwrap();
        let change = parsed.change().unwrap();
        (json!(change), json!(parsed.creation(change)))
    }

    #[test]
    fn only_given_arguments_are_sent() {
        let expected = json!({"name": "gc", "action": "gc", "schedule": "@daily"});
        for words in [["gc", "@daily"], ["gc", "--schedule=@daily"]] {
            assert_eq!(sent(&words), (json!({"schedule": "@daily"}), expected.clone()));
        }
        assert_eq!(sent(&["gc", "--overlap=skip"]).0, json!({"overlap": "skip"}));
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
        assert_eq!(sent(&words).1, expected);
    }

    #[test]
    fn invalid_arguments_are_rejected_before_anything_is_sent() {
        let invalid: [&[&str]; 4] = [
            &["a", "* * *"],
            &["a b", "@daily"],
            &["a", "@daily", "--misfire=twice"],
            &["a", "@daily", "--schedule=@daily"],
        ];
        for words in invalid {
            assert!(arguments::<SetArguments>(words).is_err(), "{words:?}");
        }
    }
}
