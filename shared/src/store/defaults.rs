//! What actions say of themselves: the workers announce it, the API fills it into submissions.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::capacity::CapacityMap;
use crate::job::{ActionName, Span};

/// What a job of an action has unless its submission says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionDefaults {
    /// What it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_map: Option<CapacityMap>,
    /// How often it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// From its start to SIGTERM.
    #[serde(skip_serializing_if = "Span::is_none")]
    pub deadline: Span,
    /// From SIGTERM to SIGKILL.
    #[serde(skip_serializing_if = "Span::is_none")]
    pub stop_timeout: Span,
}

impl Store {
    /// Says what the actions of a worker have by default. Of two workers that differ the later one counts.
    pub async fn announce(
        &self,
        actions: &[(ActionName, ActionDefaults)],
    ) -> Result<(), StoreError> {
        let mut command = redis::cmd("HSET");
        command.arg(self.keys.actions());
        for (name, defaults) in actions {
            let json = serde_json::to_string(defaults).unwrap_or_default();
            command.arg(name.as_str()).arg(json);
        }
        Ok(command.exec_async(&mut self.connection.clone()).await?)
    }

    /// What every action that some worker has announced has by default.
    pub async fn action_defaults(&self) -> Result<HashMap<ActionName, ActionDefaults>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.actions());
        let found: HashMap<String, String> =
            command.query_async(&mut self.connection.clone()).await?;
        let known = found.into_iter().filter_map(|(name, json)| {
            Some((name.parse().ok()?, serde_json::from_str(&json).ok()?))
        });
        Ok(known.collect())
    }
}
