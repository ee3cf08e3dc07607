//! The defaults of all actions: what workers announce, and before that what operators have
//! configured.

use std::collections::HashMap;

use super::config::read_config;
use super::defaults::ActionDefaults;
use crate::error::StoreError;
use crate::store::Store;
use domain::job::ActionName;

impl Store {
    /// Announces the defaults of a worker's actions. When two workers differ, the later one counts.
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

    /// The defaults of all actions: as configured, completed by what workers have announced.
    pub async fn action_defaults(&self) -> Result<HashMap<ActionName, ActionDefaults>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.hgetall(self.keys.actions()).hgetall(self.keys.action_configs());
        let (announced, configured): (HashMap<String, String>, HashMap<String, String>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let known = announced.into_iter().filter_map(|(name, json)| {
            Some((name.parse().ok()?, serde_json::from_str(&json).ok()?))
        });
        let mut all: HashMap<ActionName, ActionDefaults> = known.collect();
        for (name, kept) in configured {
            let config = read_config(&name, &kept)?;
            let defaults = match all.get(&config.action) {
                Some(announced) => config.defaults.or(announced),
                None => config.defaults,
            };
            all.insert(config.action, defaults);
        }
        Ok(all)
    }
}
