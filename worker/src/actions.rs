//! What jobs do: the built-in actions, commands and webhooks of the actions file, deliveries to
//! subscriptions, and Rust functions. An action gets a context and returns a result or an error;
//! everything around a run (deadline, log, outcome) is the engine's task.

mod actions_file;
mod builtin;
mod deliver;
mod exec;
mod function;
mod parameters;
mod template;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use domain::job::ActionName;
use domain::settings::InvalidSetting;
use store::Store;

use crate::action::{Action, ActionRegistry};
use crate::config::Config;
use actions_file::{ActionDeclaration, ActionKind, FileError};
use deliver::Deliver;
use exec::{Exec, ExecEnvironment};
use webhook::{HttpClient, Webhook};

pub(crate) use actions_file::parse as parse_file;
pub(crate) use exec::ChildRequest;
pub(crate) use function::Function;
pub(crate) use webhook::requested_pause;

/// Why the actions of a worker could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The actions file is invalid.
    #[error(transparent)]
    File(#[from] FileError),
    /// A setting does not suit this machine.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// Two actions have the same name.
    #[error("action {0} already exists")]
    Duplicate(ActionName),
    /// The action cannot run on this machine.
    #[error("action {name}: {why}")]
    Action {
        /// The name of the action.
        name: ActionName,
        /// Why it cannot run.
        why: String,
    },
    /// The directory for the working directories of commands cannot be created.
    #[error("cannot create a temporary directory in {path}: {source}")]
    Temporary {
        /// The configured directory.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// Loads the `functions` of the program, the built-in actions, and the actions of the configured
/// file. A function may replace a built-in action. Removes what the commands of killed workers left
/// behind. `owns_process` is true when the commands are the only child processes.
pub(crate) fn load(
    config: &Config,
    store: &Store,
    functions: Vec<(ActionName, Arc<dyn Action>)>,
    owns_process: bool,
) -> Result<ActionRegistry, LoadError> {
    config.job_user.check()?;
    ExecEnvironment::remove_abandoned(&config.temporary);
    let http = HttpClient::new(&config.webhook_allow);
    let mut registry = ActionRegistry::default();
    for (name, function) in functions {
        add(&mut registry, name, function)?;
    }
    for (name, action) in builtin_actions(config, &http, store) {
        registry.add(name, action);
    }
    let declarations = config.actions.as_deref().map(actions_file::read).transpose()?;
    let declarations = declarations.unwrap_or_default();
    let (limited, temporary) = (limited_commands(&declarations), &config.temporary);
    let mut environment = None;
    for (name, ActionDeclaration { kind, defaults }) in declarations {
        let action: Result<Arc<dyn Action>, String> = match kind {
            ActionKind::Command(command) => {
                let shared = match &environment {
                    Some(shared) => shared,
                    None => {
                        let created = ExecEnvironment::create(temporary, &limited, owns_process);
                        environment.insert(created.map_err(|source| LoadError::Temporary {
                            path: temporary.to_owned(),
                            source,
                        })?)
                    }
                };
                let user = config.job_user.ids();
                Exec::new(command, user, shared.clone(), defaults).map(|exec| {
                    warn_if_missing(&name, &exec);
                    Arc::new(exec) as _
                })
            }
            ActionKind::Webhook(webhook) => {
                let webhook = Webhook::configured(http.clone(), webhook, defaults);
                webhook.map(|webhook| Arc::new(webhook) as _)
            }
        };
        let action = action.map_err(|why| LoadError::Action { name: name.clone(), why })?;
        add(&mut registry, name, action)?;
    }
    Ok(registry)
}

fn add(
    registry: &mut ActionRegistry,
    name: ActionName,
    action: Arc<dyn Action>,
) -> Result<(), LoadError> {
    if registry.add(name.clone(), action) { Ok(()) } else { Err(LoadError::Duplicate(name)) }
}

fn builtin_actions(
    config: &Config,
    http: &HttpClient,
    store: &Store,
) -> Vec<(ActionName, Arc<dyn Action>)> {
    // Subscriptions belong to admins, who may also do what operators may.
    let reachable = config.webhook_allow.clone().with(&config.subscription_allow);
    let deliver = Deliver::new(HttpClient::new(&reachable), store.clone());
    let mut actions: Vec<(&str, Arc<dyn Action>)> = vec![
        ("sleep", Arc::new(builtin::Sleep)),
        ("false", Arc::new(builtin::False)),
        ("noop", Arc::new(builtin::Noop)),
        (ActionName::DELIVER, Arc::new(deliver)),
    ];
    if config.webhook {
        actions.push((ActionName::WEBHOOK, Arc::new(Webhook::ad_hoc(http.clone()))));
    }
    actions.into_iter().filter_map(|(name, action)| Some((name.parse().ok()?, action))).collect()
}

/// Warns about a command that cannot run because its program is not installed.
fn warn_if_missing(action: &ActionName, command: &Exec) {
    if let Some(program) = command.missing_program() {
        tracing::warn!(%action, program, "program not found; jobs of this action will fail");
    }
}

/// Returns the names of the commands whose limits need a cgroup.
fn limited_commands(declarations: &BTreeMap<ActionName, ActionDeclaration>) -> Vec<ActionName> {
    let limited = declarations.iter().filter(|(_, declaration)| match &declaration.kind {
        ActionKind::Command(command) => command.limits.need_cgroup(),
        ActionKind::Webhook(_) => false,
    });
    limited.map(|(name, _)| name.clone()).collect()
}
