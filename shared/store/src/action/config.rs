//! Action configs: the defaults that operators have set, with the limits that follow from them.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::defaults::ActionDefaults;
use crate::bounds::{CHANGE_TRIES, MAX_ACTION_CONFIGS};
use crate::error::StoreError;
use crate::json::{changed_json, read_json};
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

/// What became of a config that was written.
enum Written {
    Set(Uuid),
    /// The namespace has as many configs as it may have.
    TooMany,
    /// The config has changed since it was read.
    Conflict,
}

impl Written {
    fn id(self) -> Option<Uuid> {
        match self {
            Written::Set(id) => Some(id),
            Written::TooMany | Written::Conflict => None,
        }
    }
}

impl Store {
    /// Configures an action. `None` when the namespace has as many configs as it may have.
    pub async fn set_action_config(
        &self,
        action: &ActionName,
        defaults: &ActionDefaults,
    ) -> Result<Option<ActionConfig>, StoreError> {
        let json = serde_json::to_string(defaults).unwrap_or_default();
        let written = self.write_config(action, &json, "any").await?;
        Ok(written.id().map(|id| ActionConfig {
            id,
            action: action.clone(),
            defaults: defaults.clone(),
        }))
    }

    /// Changes the config of an action. Fields that only a later build knows stay unchanged. `None` if
    /// the action has no config.
    pub async fn change_action_config(
        &self,
        action: &ActionName,
        change: impl Fn(ActionDefaults) -> ActionDefaults,
    ) -> Result<Option<ActionConfig>, StoreError> {
        for _ in 0..CHANGE_TRIES {
            let Some(kept) = self.kept_config(action).await? else { return Ok(None) };
            let was = read_config(action.as_str(), &kept)?.defaults;
            let defaults = change(was.clone());
            let json = kept.split_once(' ').map_or("", |(_, json)| json);
            let changed = changed_json(json, &was, &defaults);
            if let Written::Set(id) = self.write_config(action, &changed, &kept).await? {
                return Ok(Some(ActionConfig { id, action: action.clone(), defaults }));
            }
        }
        let why = "it changes too often to be changed";
        Err(StoreError::unreadable(format!("config of {action}"), why))
    }

    async fn write_config(
        &self,
        action: &ActionName,
        json: &str,
        seen: &str,
    ) -> Result<Written, StoreError> {
        let answer = self.call(&SET_ACTION_CONFIG, |call| {
            call.arg(action.as_str()).arg(Uuid::new_v4().to_string());
            call.arg(json).arg(MAX_ACTION_CONFIGS).arg(seen);
        });
        answer.await?.decode(|words| match words {
            ["set", id] => Some(Written::Set(id.parse().ok()?)),
            ["too_many"] => Some(Written::TooMany),
            ["conflict"] => Some(Written::Conflict),
            _ => None,
        })
    }

    /// Deletes the config of an action; false when it has none.
    pub async fn delete_action_config(&self, action: &ActionName) -> Result<bool, StoreError> {
        let answer = self.call(&SET_ACTION_CONFIG, |call| {
            call.arg(action.as_str()).arg("").arg("").arg(0).arg("any");
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
        let kept = self.kept_config(action).await?;
        kept.map(|kept| read_config(action.as_str(), &kept)).transpose()
    }

    async fn kept_config(&self, action: &ActionName) -> Result<Option<String>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.action_configs()).arg(action.as_str());
        Ok(command.query_async(&mut self.connection.clone()).await?)
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
