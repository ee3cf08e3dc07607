//! The `Action` trait, and the registry of the actions of a worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::job::{ActionName, Exception};
use futures_util::future::BoxFuture;
use serde_json::Value;
use store::ActionDefaults;

use crate::context::Context;

/// The largest result that is kept with a job, as JSON.
pub(crate) const RESULT_BYTES: usize = 64 * 1024;

/// What an action returns: a result, if it has one, or the error that the job fails with.
pub type ActionResult = Result<Option<Value>, Exception>;

/// The code behind the jobs of one action.
pub trait Action: Send + Sync {
    /// Returns the settings of the action's jobs that their submission does not override.
    fn defaults(&self) -> ActionDefaults {
        ActionDefaults::default()
    }

    /// Runs one job. After a stop request it should return within the context's stop timeout; later
    /// the future is dropped.
    fn run(&self, context: Context) -> BoxFuture<'_, ActionResult>;
}

/// The actions of a worker, by name.
#[derive(Default)]
pub(crate) struct ActionRegistry(BTreeMap<ActionName, Arc<dyn Action>>);

impl ActionRegistry {
    /// Adds an action. Returns false, and changes nothing, when the name is taken.
    pub(crate) fn add(&mut self, name: ActionName, action: Arc<dyn Action>) -> bool {
        if self.0.contains_key(&name) {
            return false;
        }
        self.0.insert(name, action);
        true
    }

    /// Returns the action with this name.
    pub(crate) fn get(&self, name: &ActionName) -> Option<&Arc<dyn Action>> {
        self.0.get(name)
    }

    /// Returns the names, sorted.
    pub(crate) fn names(&self) -> Vec<ActionName> {
        self.0.keys().cloned().collect()
    }

    /// Returns each action's defaults.
    pub(crate) fn defaults(&self) -> Vec<(ActionName, ActionDefaults)> {
        self.0.iter().map(|(name, action)| (name.clone(), action.defaults())).collect()
    }
}
