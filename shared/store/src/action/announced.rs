//! The defaults of all actions: what workers announce, and before that what operators have
//! configured.

use std::collections::HashMap;

use super::config::read_config;
use super::defaults::{ActionDefaults, AllDefaults};
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

    /// The defaults of all actions: as configured, completed by what workers have announced. A
    /// config that cannot be read affects only its action.
    pub async fn action_defaults(&self) -> Result<AllDefaults, StoreError> {
        let mut pipe = redis::pipe();
        pipe.hgetall(self.keys.actions()).hgetall(self.keys.action_configs());
        let (announced, configured): (HashMap<String, String>, HashMap<String, String>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let known = announced.into_iter().filter_map(|(name, json)| {
            Some((name.parse().ok()?, serde_json::from_str(&json).ok()?))
        });
        let mut all: AllDefaults = known.collect();
        for (name, kept) in configured {
            match self.left_out.readable(read_config(&name, &kept)) {
                Some(config) => all.configure(config.action, config.defaults),
                None => name.parse().into_iter().for_each(|name| all.add_unreadable(name)),
            }
        }
        Ok(all)
    }
}
