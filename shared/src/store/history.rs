//! How much of what is over is kept: the settings, by the names that the reference has for them, and what
//! removes the rest.

use serde::{Deserialize, Serialize};

use super::answer::{read, unknown};
use super::read::LISTED;
use super::{Store, StoreError};
use crate::job::{Span, Status};

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
    pub job_history_max_age: Span,
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
        let mut command = redis::cmd("GET");
        command.arg(self.keys.settings());
        let found: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        let Some(json) = found else { return Ok(Settings::default()) };
        serde_json::from_str(&json).map_err(|error| StoreError::Record {
            key: self.keys.settings(),
            why: error.to_string(),
        })
    }

    /// Replaces the settings.
    pub async fn set_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        let json = serde_json::to_string(settings).unwrap_or_default();
        command.arg(self.keys.settings()).arg(json);
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
