//! Pauses and resumes an action or a class.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::ActionName;
use domain::lock::LockName;

static PAUSE: Script = Script::new("pause", include_str!("pause.lua"));

impl Store {
    /// The actions that are paused, by name.
    pub async fn paused_actions(&self) -> Result<Vec<ActionName>, StoreError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys.paused());
        let names: Vec<String> = command.query_async(&mut self.connection.clone()).await?;
        let action = |name: &String| name.strip_prefix("action:")?.parse().ok();
        let mut actions: Vec<ActionName> = names.iter().filter_map(action).collect();
        actions.sort();
        Ok(actions)
    }

    /// Pauses an action or a class, or resumes it.
    pub async fn pause(&self, name: &LockName, paused: bool) -> Result<(), StoreError> {
        let answer = self.call(&PAUSE, |call| {
            call.arg(name.as_str()).arg(if paused { "1" } else { "" });
        });
        answer.await?.decode(|words| match words {
            ["paused" | "resumed"] => Some(()),
            _ => None,
        })
    }
}
