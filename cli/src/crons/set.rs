//! `capstan crons set`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;
use serde_json::Value;
use shared::cron::{CronLine, CronName, Misfire, Overlap, Zone};
use shared::job::{ActionName, Span};

use crate::api::Api;
use crate::failure::Failure;
use crate::work::{SentWork, Work};

/// What `crons set` is told.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// What it is called
    name: CronName,

    /// When it fires: "0 30 3 * * *", "*/15 * * * *", @daily, "@every 90s"; see `crons explain`
    schedule: CronLine,

    /// What to do; its name is taken unless given
    #[arg(long)]
    action: Option<ActionName>,

    /// On the clock of which place, like Europe/Berlin; UTC unless given
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<Zone>,

    /// What becomes of ticks that nobody was there for; once unless given
    #[arg(long, value_parser = PossibleValuesParser::new(Misfire::WORDS))]
    misfire: Option<String>,

    /// What becomes of a tick while an earlier job is not over; allow unless given
    #[arg(long, value_parser = PossibleValuesParser::new(Overlap::WORDS))]
    overlap: Option<String>,

    /// How long after its tick a job may be due, each by its own share
    #[arg(long, value_name = "DURATION")]
    jitter: Option<Span>,

    #[command(flatten)]
    work: Work,

    /// Whether it is not to fire; as it is unless given
    #[arg(long, value_name = "BOOL")]
    paused: Option<bool>,

    /// Print the cron as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What is sent. What was not given is left to the API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Create<'a> {
    name: &'a CronName,
    action: &'a str,
    schedule: &'a CronLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<Zone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    misfire: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<&'a Span>,
    #[serde(flatten)]
    work: SentWork<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<bool>,
}

/// Sets it; answers what the API says of it.
pub(super) async fn set(api: &Api, arguments: &SetArguments) -> Result<Value, Failure> {
    api.post("/crons", &arguments.create()?).await
}

impl SetArguments {
    fn create(&self) -> Result<Create<'_>, Failure> {
        Ok(Create {
            name: &self.name,
            action: self.action.as_ref().map_or(self.name.as_str(), ActionName::as_str),
            schedule: &self.schedule,
            time_zone: self.time_zone,
            misfire: self.misfire.as_deref(),
            overlap: self.overlap.as_deref(),
            jitter: self.jitter.as_ref(),
            work: self.work.sent()?,
            paused: self.paused,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        set: SetArguments,
    }

    fn sent(line: &[&str]) -> Value {
        let line = ["set"].iter().chain(line);
        let arguments = Line::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).set;
        serde_json::to_value(arguments.create().unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_given_is_sent() {
        let expected = json!({"name": "gc", "action": "gc", "schedule": "@daily"});
        assert_eq!(sent(&["gc", "@daily"]), expected);
        let line = [
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
        assert_eq!(sent(&line), expected);
        for wrong in [["a", "* * *"], ["a b", "@daily"]] {
            assert!(Line::try_parse_from(["set"].iter().chain(&wrong)).is_err(), "{wrong:?}");
        }
        assert!(Line::try_parse_from(["set", "a", "@daily", "--misfire=twice"]).is_err());
    }
}
