//! How much of what is over is kept: the settings, by the names that the reference has for them, and what
//! removes the rest.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{read, unknown};
use super::read::LISTED;
use super::{Store, StoreError};
use domain::job::{GoDuration, Status};

/// How many jobs one call removes: a script blocks Redis.
const MOST_PER_CALL: u32 = 100;

/// The settings of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Whether jobs that are over are removed at all.
    pub job_history_compaction_enabled: bool,
    /// So many of them stay, the ones that were due last; 0 is no limit.
    pub job_history_to_keep: u64,
    /// They stay for so long after their end; none is no limit.
    pub job_history_max_age: GoDuration,
    /// Kept for the reference's clients; nothing follows from it.
    pub scanning_deadline: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            job_history_compaction_enabled: true,
            job_history_to_keep: 1_000_000,
            job_history_max_age: "720h".parse().unwrap_or_default(),
            scanning_deadline: 0,
        }
    }
}

/// What to change of the settings; what is not given stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChanges {
    /// Whether jobs that are over are removed at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_history_compaction_enabled: Option<bool>,
    /// So many of them stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_history_to_keep: Option<u64>,
    /// They stay for so long after their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_history_max_age: Option<GoDuration>,
    /// For clients of the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanning_deadline: Option<u64>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Jobs that were over.
    pub jobs: u64,
    /// Workers that were gone for a day.
    pub workers: u64,
}

impl Store {
    /// The settings; what nobody has set is as it is by default.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.settings());
        let found: HashMap<String, String> =
            command.query_async(&mut self.connection.clone()).await?;
        let read = |(name, json): (String, String)| Ok((name, serde_json::from_str(&json)?));
        let values: Result<Map<String, Value>, serde_json::Error> =
            found.into_iter().map(read).collect();
        let settings = values.and_then(|values| serde_json::from_value(Value::Object(values)));
        settings.map_err(|error| StoreError::Record {
            key: self.keys.settings(),
            why: error.to_string(),
        })
    }

    /// Changes some of the settings. Each is a field of its own, so that two changes at once lose nothing.
    pub async fn change_settings(&self, changes: &SettingsChanges) -> Result<(), StoreError> {
        let Ok(Value::Object(fields)) = serde_json::to_value(changes) else { return Ok(()) };
        if fields.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("HSET");
        command.arg(self.keys.settings());
        for (name, value) in fields {
            command.arg(name).arg(value.to_string());
        }
        Ok(command.exec_async(&mut self.connection.clone()).await?)
    }

    /// Removes the oldest of what is over; call again while it removes some.
    pub async fn trim(&self, settings: &Settings) -> Result<Trimmed, StoreError> {
        let age = settings.job_history_max_age.duration().map(|age| age.as_millis().to_string());
        let keep = Some(settings.job_history_to_keep).filter(|keep| *keep > 0);
        let enabled = settings.job_history_compaction_enabled;
        let answer = self.call(&self.scripts.trim, |call| {
            call.arg(age.filter(|_| enabled).unwrap_or_default());
            call.arg(keep.filter(|_| enabled).map(|keep| keep.to_string()).unwrap_or_default());
            call.arg(LISTED.as_millis() as u64).arg(MOST_PER_CALL);
            for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
                call.arg(status.as_str());
            }
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["trimmed", jobs, workers] => {
                Ok(Trimmed { jobs: read("trim", jobs)?, workers: read("trim", workers)? })
            }
            _ => Err(unknown("trim", &words)),
        }
    }
}
