//! Crons.

use domain::job::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::optional::none_if_empty;

/// A cron.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cron {
    /// Its name.
    pub name: String,
    /// The action of its jobs.
    pub action: String,
    /// Its cron expression.
    pub schedule: String,
    /// The time zone of its schedule.
    #[serde(default)]
    pub time_zone: String,
    /// When it fires next.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub next_run: Option<Timestamp>,
    /// When it last fired.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub last_run: Option<Timestamp>,
    /// True while it does not fire.
    #[serde(default)]
    pub paused: bool,
    /// True when it comes from the schedulers' cron file.
    #[serde(default)]
    pub declared: bool,
    /// How many times it has fired.
    #[serde(default)]
    pub fired: u64,
    /// How many ticks it has skipped.
    #[serde(default)]
    pub skipped: u64,
    /// The last skipped tick, and why.
    #[serde(default)]
    pub last_skip: Option<Map<String, Value>>,
}
