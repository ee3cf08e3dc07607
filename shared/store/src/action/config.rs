//! Action configs: the defaults that operators have set, with the limits that follow from them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::defaults::ActionDefaults;
use crate::bounds::MAX_ACTION_CONFIGS;
use crate::error::StoreError;
use crate::json::read_json;
use crate::script::Script;
use crate::store::Store;
use domain::job::ActionName;

static SET_ACTION_CONFIG: Script =
    Script::new("set_action_config", include_str!("set_action_config.lua"));

/// The config of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionConfig {
    /// Its identity: one that is deleted and created again is another one.
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
        let answer = self.call(&SET_ACTION_CONFIG, |call| {
            call.arg(action.as_str()).arg(Uuid::new_v4().to_string());
            call.arg(serde_json::to_string(defaults).unwrap_or_default()).arg(MAX_ACTION_CONFIGS);
        });
        let id = answer.await?.decode(|words| match words {
            ["set", id] => Some(Some(id.parse().ok()?)),
            ["too_many"] => Some(None),
            _ => None,
        })?;
        let (action, defaults) = (action.clone(), defaults.clone());
        Ok(id.map(|id| ActionConfig { id, action, defaults }))
    }

    /// Deletes the config of an action; false when it has none.
    pub async fn delete_action_config(&self, action: &ActionName) -> Result<bool, StoreError> {
        let answer = self.call(&SET_ACTION_CONFIG, |call| {
            call.arg(action.as_str()).arg("").arg("").arg(0);
        });
        answer.await?.decode(|words| match words {
            ["deleted"] => Some(true),
            ["gone"] => Some(false),
            _ => None,
        })
    }

    /// The config of an action; `None` when it has none.
    pub async fn action_config(
        &self,
        action: &ActionName,
    ) -> Result<Option<ActionConfig>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.action_configs()).arg(action.as_str());
        let kept: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        kept.map(|kept| read_config(action.as_str(), &kept)).transpose()
    }

    /// All configs, by action. One that cannot be read is left out.
    pub async fn action_configs(&self) -> Result<Vec<ActionConfig>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.action_configs());
        let kept: BTreeMap<String, String> =
            command.query_async(&mut self.connection.clone()).await?;
        let read = kept.iter().map(|(action, kept)| read_config(action, kept));
        Ok(read.filter_map(|config| self.left_out.readable(config)).collect())
    }
}

/// Reads a config as the script keeps it: its id, a space, the defaults.
pub(crate) fn read_config(action: &str, kept: &str) -> Result<ActionConfig, StoreError> {
    let wrong = |why: String| StoreError::unreadable(format!("config of {action}"), why);
    let (id, json) = kept.split_once(' ').ok_or_else(|| wrong("id is missing".to_owned()))?;
    Ok(ActionConfig {
        id: id.parse().map_err(|error| wrong(format!("{error}")))?,
        action: action.parse().map_err(|error| wrong(format!("{error}")))?,
        defaults: read_json(&format!("config of {action}"), json)?,
    })
}
