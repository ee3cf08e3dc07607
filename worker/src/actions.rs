//! What this worker can do: its actions by name. An action is given a context and answers with a result or an
//! exception; everything around a run (deadline, log, the record of its end) is the attempt's.

mod builtin;
mod exec;
mod file;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use shared::job::{ActionName, Claimed, Exception};
use shared::store::ActionDefaults;

pub use crate::board::{Stop, StopSignal};
pub use crate::journal::Log;
pub use file::FileError;

/// How an action ends: with a result, or with why it failed.
pub type Ended = Result<Option<Value>, Exception>;

/// All that a run is given.
pub struct Context {
    /// The job, with its parameters.
    pub job: Claimed,
    /// Where to say what happens.
    pub log: Log,
    /// How long the action may take to stop when it is asked to.
    pub stop_timeout: Duration,
    /// Says when and why to stop.
    pub signal: StopSignal,
}

/// Something that can be done.
pub trait Action: Send + Sync {
    /// What a job of it needs unless its submission says otherwise.
    fn defaults(&self) -> ActionDefaults {
        ActionDefaults::default()
    }

    /// Does it. Asked to stop, it should end within the context's stop timeout; later it is dropped.
    fn run(&self, context: Context) -> BoxFuture<'_, Ended>;
}

/// The actions of a worker.
pub struct Actions(BTreeMap<ActionName, Arc<dyn Action>>);

impl Actions {
    /// The built-in actions, and those that a TOML file declares.
    pub fn load(file: Option<&Path>) -> Result<Actions, FileError> {
        let mut actions = builtin::all();
        for (name, action) in file.map(file::read).transpose()?.into_iter().flatten() {
            if actions.contains_key(&name) {
                return Err(FileError::BuiltIn(name));
            }
            actions.insert(name, Arc::new(action));
        }
        Ok(Actions(actions))
    }

    /// The action of this name.
    #[must_use]
    pub fn get(&self, name: &ActionName) -> Option<&Arc<dyn Action>> {
        self.0.get(name)
    }

    /// The names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<ActionName> {
        self.0.keys().cloned().collect()
    }

    /// What the actions' jobs need unless their submission says otherwise.
    #[must_use]
    pub fn defaults(&self) -> Vec<(ActionName, ActionDefaults)> {
        self.0.iter().map(|(name, action)| (name.clone(), action.defaults())).collect()
    }
}
