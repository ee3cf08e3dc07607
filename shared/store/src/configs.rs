//! What operators have configured of actions, with the limits that follow from it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::answer::{read as read_word, unknown};
use super::{ActionDefaults, Store, StoreError};
use domain::job::ActionName;

/// How many a namespace may have: every submission reads them.
pub const MAX_ACTION_CONFIGS: u32 = 1_000;

/// What is configured of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionConfig {
    /// Its identity: one that is deleted and made again is another one.
    pub id: Uuid,
    /// The action.
    pub action: ActionName,
    /// What its jobs have unless they say otherwise.
    pub defaults: ActionDefaults,
}

impl Store {
    /// Configures an action; `None` when the namespace has as many configs as it may have.
    pub async fn set_action_config(
        &self,
        action: &ActionName,
        defaults: &ActionDefaults,
    ) -> Result<Option<ActionConfig>, StoreError> {
        let answer = self.call(&self.scripts.set_action_config, |call| {
            call.arg(action.as_str()).arg(Uuid::new_v4().to_string());
            call.arg(serde_json::to_string(defaults).unwrap_or_default()).arg(MAX_ACTION_CONFIGS);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["set", id] => Ok(Some(ActionConfig {
                id: read_word("set_action_config", id)?,
                action: action.clone(),
                defaults: defaults.clone(),
            })),
            ["too_many"] => Ok(None),
            _ => Err(unknown("set_action_config", &words)),
        }
    }

    /// Forgets what is configured of an action; false when nothing is.
    pub async fn delete_action_config(&self, action: &ActionName) -> Result<bool, StoreError> {
        let answer = self.call(&self.scripts.set_action_config, |call| {
            call.arg(action.as_str()).arg("").arg("").arg(0);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["deleted"] => Ok(true),
            ["gone"] => Ok(false),
            _ => Err(unknown("set_action_config", &words)),
        }
    }

    /// What is configured of an action; `None` when nothing is.
    pub async fn action_config(
        &self,
        action: &ActionName,
    ) -> Result<Option<ActionConfig>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.action_configs()).arg(action.as_str());
        let kept: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        kept.map(|kept| read(action.as_str(), &kept)).transpose()
    }

    /// All that is configured, by action.
    pub async fn action_configs(&self) -> Result<Vec<ActionConfig>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.action_configs());
        let kept: BTreeMap<String, String> =
            command.query_async(&mut self.connection.clone()).await?;
        kept.iter().map(|(action, kept)| read(action, kept)).collect()
    }
}

/// Reads a config as the script keeps it: its id, a space, what it says.
pub(super) fn read(action: &str, kept: &str) -> Result<ActionConfig, StoreError> {
    let wrong = |why: String| StoreError::Record { key: format!("config of {action}"), why };
    let (id, json) = kept.split_once(' ').ok_or_else(|| wrong("it has no id".to_owned()))?;
    Ok(ActionConfig {
        id: id.parse().map_err(|error| wrong(format!("{error}")))?,
        action: action.parse().map_err(|error| wrong(format!("{error}")))?,
        defaults: serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?,
    })
}
