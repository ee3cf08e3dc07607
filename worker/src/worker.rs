//! A worker with actions of one's own, for those who write theirs in Rust.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser;
use serde::Serialize;
use serde::de::DeserializeOwned;
use domain::job::ActionName;
use store::ActionDefaults;
use service::shutdown::shutdown_on_signals;
use service::telemetry::start_logging;

use crate::actions::{Action, Context};
use crate::handler::Handler;
use crate::{Config, Shutdown};

/// Runs jobs within its capacity.
#[derive(Parser)]
#[command(name = "capstan-worker", version)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

impl Config {
    /// The settings that this process was given, by flags and environment. Ends it when they are wrong, or with its help.
    #[must_use]
    pub fn from_arguments() -> Config {
        Cli::parse().config
    }
}

/// A worker that is about to run.
///
/// ```no_run
/// use worker::{Config, Context, Worker};
///
/// #[derive(serde::Deserialize)]
/// struct Add { left: i64, right: i64 }
///
/// async fn add(add: Add, context: Context) -> anyhow::Result<i64> {
///     context.log(format!("adding {} and {}", add.left, add.right)).await;
///     Ok(add.left + add.right)
/// }
///
/// #[tokio::main]
/// async fn main() -> anyhow::Result<()> {
///     Worker::new(Config::from_arguments()).action("add", add).run().await
/// }
/// ```
pub struct Worker {
    config: Config,
    actions: Vec<(String, Arc<dyn Action>)>,
}

impl Worker {
    /// A worker with the built-in actions, and those of its file.
    #[must_use]
    pub fn new(config: Config) -> Worker {
        Worker { config, actions: Vec::new() }
    }

    /// Adds an action: an async function from parameters and a [`Context`] to a result, or to why there is none.
    ///
    /// It runs on a thread of its own, so it may block, and a panic is an error of its job. It should look at
    /// [`Context::asked_to_stop`] or wait for [`Context::cancelled`]: a stop timeout and 2 s after it was asked to stop
    /// it is dropped where it next waits, or left to itself when it never does. An error that is an
    /// [`Exception`](domain::job::Exception) gives its own type, any other is `Failed`; parameters that do not fit
    /// `Parameters` are a `BadParameter` that names the field.
    #[must_use]
    pub fn action<Parameters, Running, Output, Error>(
        self,
        name: &str,
        handler: impl Fn(Parameters, Context) -> Running + Send + Sync + 'static,
    ) -> Worker
    where
        Parameters: DeserializeOwned + Send + 'static,
        Running: Future<Output = Result<Output, Error>>,
        Output: Serialize,
        Error: Into<anyhow::Error>,
    {
        self.action_with(name, ActionDefaults::default(), handler)
    }

    /// The same, with what its jobs have unless their submission says otherwise.
    #[must_use]
    pub fn action_with<Parameters, Running, Output, Error>(
        mut self,
        name: &str,
        defaults: ActionDefaults,
        handler: impl Fn(Parameters, Context) -> Running + Send + Sync + 'static,
    ) -> Worker
    where
        Parameters: DeserializeOwned + Send + 'static,
        Running: Future<Output = Result<Output, Error>>,
        Output: Serialize,
        Error: Into<anyhow::Error>,
    {
        self.actions.push((name.to_owned(), Arc::new(Handler::new(handler, defaults))));
        self
    }

    /// Starts the process's log and runs until SIGTERM or SIGINT, as `capstan-worker` does.
    pub async fn run(self) -> anyhow::Result<()> {
        start_logging(&self.config.telemetry.log).map_err(anyhow::Error::msg)?;
        let shutdown = Shutdown::default();
        let signals = [shutdown.asked.clone(), shutdown.hurry.clone()];
        tokio::select! {
            outcome = self.run_until(shutdown) => outcome,
            never = shutdown_on_signals(&signals) => never?,
        }
    }

    /// Runs until it is asked to stop. Waits for the store and the broker, in any order.
    pub async fn run_until(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut own = BTreeMap::new();
        for (name, action) in self.actions {
            let name: ActionName = name.parse()?;
            if own.insert(name.clone(), action).is_some() {
                anyhow::bail!("the action {name} is added twice");
            }
        }
        crate::serve(self.config, own, shutdown).await
    }
}
