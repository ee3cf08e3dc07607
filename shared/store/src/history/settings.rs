//! The settings of a namespace: how much history is kept, by the names that the reference uses, and
//! how much of each owner may wait.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bounds::{MAX_WAITING_BYTES, MAX_WAITING_JOBS};
use crate::error::StoreError;
use crate::store::Store;
use domain::job::GoDuration;

/// The settings of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Whether jobs that are over are removed at all.
    pub job_history_compaction_enabled: bool,
    /// How many of them stay, those that were due last; 0 is no limit.
    pub job_history_to_keep: u64,
    /// How long they stay after their end; none is no limit.
    pub job_history_max_age: GoDuration,
    /// Kept for clients of the reference; it has no effect.
    pub scanning_deadline: u64,
    /// How many jobs of one owner may wait; 0 is no limit.
    pub max_waiting_jobs: u64,
    /// How many bytes the specs of these jobs may have together; 0 is no limit.
    pub max_waiting_bytes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            job_history_compaction_enabled: true,
            job_history_to_keep: 1_000_000,
            job_history_max_age: "720h".parse().unwrap_or_default(),
            scanning_deadline: 0,
            max_waiting_jobs: MAX_WAITING_JOBS,
            max_waiting_bytes: MAX_WAITING_BYTES,
        }
    }
}

/// Changes to the settings; what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsChanges {
    /// Whether jobs that are over are removed at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_history_compaction_enabled: Option<bool>,
    /// How many of them stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_history_to_keep: Option<u64>,
    /// How long they stay after their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_history_max_age: Option<GoDuration>,
    /// For clients of the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanning_deadline: Option<u64>,
    /// How many jobs of one owner may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting_jobs: Option<u64>,
    /// How many bytes their specs may have together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting_bytes: Option<u64>,
}

impl Store {
    /// The settings, with defaults for what is not set.
    pub async fn settings(&self) -> Result<Settings, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.settings());
        let found: HashMap<String, String> =
            command.query_async(&mut self.connection.clone()).await?;
        let read = |(name, json): (String, String)| Ok((name, serde_json::from_str(&json)?));
        let values: Result<Map<String, Value>, serde_json::Error> =
            found.into_iter().map(read).collect();
        let settings = values.and_then(|values| serde_json::from_value(Value::Object(values)));
        settings.map_err(|error| StoreError::unreadable(self.keys.settings(), error))
    }

    /// Changes some of the settings. Each is a field of its own, so that concurrent changes lose
    /// nothing.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_have_the_same_default_quotas() {
        let lua = include_str!("../includes/exceeded_quota.lua");
        let line = format!("local default_quotas = {{ {MAX_WAITING_JOBS}, {MAX_WAITING_BYTES} }}");
        assert!(lua.lines().any(|found| found == line), "{line}");
    }
}
