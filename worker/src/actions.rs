//! What this worker can do: its actions by name. An action is given a context and answers with a result or an
//! exception; everything around a run (deadline, log, the record of its end) is the attempt's.

mod builtin;
mod exec;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod webhook;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use domain::job::{ActionName, Claimed, Exception, JobId, Token};
use domain::lock::Locks;
use store::{ActionDefaults, Source, Store};

use crate::Config;
use crate::child::Child;
use crate::family::{Family, SpawnError};
use exec::groups::Groups;
use exec::room::Rooms;
use exec::{Exec, Ground};
use file::Declaration;

pub use crate::board::{Stop, StopSignal};
pub use crate::journal::Log;
pub use crate::progress::{Progress, ProgressError, Teller};
pub use file::FileError;
pub use webhook::Networks;

/// How an action ends: with a result, or with why it failed.
pub type Ended = Result<Option<Value>, Exception>;

/// All that a run is given.
pub struct Context {
    /// The job, with its parameters.
    pub job: Claimed,
    /// Where to say what happens.
    pub log: Log,
    /// Where to say how far it is.
    pub progress: Teller,
    /// Where to ask for children.
    pub family: Family,
    /// How long the action may take to stop when it is asked to.
    pub stop_timeout: Duration,
    /// Says when and why to stop.
    pub signal: StopSignal,
}

impl Context {
    /// The token of the claim: give it to what the job writes to, so that a run that was overtaken can be refused there.
    #[must_use]
    pub fn token(&self) -> Token {
        self.job.token
    }

    /// The locks that the job holds, and how many permits of each. The token is the fencing token of
    /// all of them: who has a lock later has a larger one.
    #[must_use]
    pub fn locks(&self) -> &Locks {
        &self.job.spec.locks
    }

    /// Makes children of this job, and returns their ids in the order asked. A run that is repeated
    /// makes none twice: see [`Child::key`].
    pub async fn spawn(&self, children: Vec<Child>) -> Result<Vec<JobId>, SpawnError> {
        self.family.spawn(children).await
    }

    /// When the action ends well, its job waits for its children without a worker, and ends as they do.
    pub fn await_children(&self) {
        self.family.await_children();
    }

    /// Says a line to the job's log; waits while too many are under way.
    pub async fn log(&self, line: impl Into<String>) {
        self.log.line(Source::Stdout, line).await;
    }

    /// Says how far the job is; of what is said within a second the last is kept. Never waits.
    pub fn progress(&self, progress: Progress) -> Result<(), ProgressError> {
        self.progress.tell(progress)
    }

    /// Why the job is to stop, if it is: look here between two pieces of work.
    #[must_use]
    pub fn asked_to_stop(&self) -> Option<Stop> {
        *self.signal.borrow()
    }

    /// Returns when the job is to stop: cancelled, past its deadline, its worker stopping, or its claim lost.
    pub async fn cancelled(&self) {
        crate::board::asked_to_stop(&mut self.signal.clone()).await;
    }
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
    /// The built-in actions, `own` ones, and those that the configured file declares. Also removes what commands of workers that
    /// were killed have left behind.
    pub fn load(
        config: &Config,
        store: &Store,
        own: BTreeMap<ActionName, Arc<dyn Action>>,
    ) -> Result<Actions, FileError> {
        let temporary = &config.temporary;
        if let Err(error) = Rooms::sweep(temporary) {
            tracing::warn!(folder = %temporary.display(), %error, "cannot look for what is left");
        }
        let webhooks = webhook::Client::new(config.webhook_allow.clone());
        let mut actions = builtin::all(&webhooks, store);
        actions.extend(own);
        let declared = config.actions.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let ground = ground_for(&declared, temporary)?;
        for (name, declaration) in declared {
            if actions.contains_key(&name) {
                return Err(FileError::Known(name));
            }
            let action: Result<Arc<dyn Action>, String> = match (declaration, &ground) {
                (Declaration::Command(command), Some(ground)) => {
                    Exec::new(command, ground.clone()).map(|exec| Arc::new(exec) as _)
                }
                (Declaration::Command(_), None) => Err("it has no ground to stand on".to_owned()),
                (Declaration::Webhook(endpoint, defaults), _) => {
                    let webhook = webhooks.endpoint(endpoint, defaults);
                    webhook.map(|webhook| Arc::new(webhook) as _)
                }
            };
            let action = action.map_err(|why| FileError::Action { name: name.clone(), why })?;
            actions.insert(name, action);
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

/// What commands share, if there are any.
fn ground_for(
    declared: &BTreeMap<ActionName, Declaration>,
    temporary: &Path,
) -> Result<Option<Ground>, FileError> {
    let commands = declared.iter().filter_map(|(name, declaration)| match declaration {
        Declaration::Command(command) => Some((name, command)),
        Declaration::Webhook(..) => None,
    });
    let commands: Vec<_> = commands.collect();
    if commands.is_empty() {
        return Ok(None);
    }
    let rooms = Rooms::open(temporary)
        .map_err(|source| FileError::Temporary { path: temporary.to_owned(), source })?;
    let limited = commands.iter().filter(|(_, command)| command.limits.need_group());
    let limited: Vec<_> = limited.map(|(name, _)| name.as_str()).collect();
    let groups = (!limited.is_empty()).then(Groups::of_this_worker).transpose();
    let groups = groups.unwrap_or_else(|why| {
        let actions = limited.join(", ");
        tracing::warn!(actions, why, "limits of memory and cpu do not hold on this machine");
        None
    });
    Ok(Some(Ground { rooms: Arc::new(rooms), groups: groups.map(Arc::new) }))
}
