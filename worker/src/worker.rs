//! A worker as a library, for programs that add their own actions. Builds the actions, starts the
//! engine, and serves health and metrics.

use std::sync::Arc;
use std::time::Duration;

use domain::job::ActionName;
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::admin::{Admin, serve_admin};
use service::health::Health;
use service::logging::start_logging;
use service::shutdown::shutdown_on_signals;
use store::{ActionDefaults, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::action::Action;
use crate::actions::{self, Function};
use crate::config::{Config, Shutdown};
use crate::context::Context;
use crate::engine::{self, Resources};
use crate::metrics::Metrics;

/// How often each part of the engine must report progress for the worker to be healthy.
const HEALTH_PERIOD: Duration = Duration::from_secs(15);

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
    functions: Vec<(String, Arc<dyn Action>)>,
    owns_process: bool,
}

impl Worker {
    /// Creates a worker with the built-in actions and those of its actions file.
    #[must_use]
    pub fn new(config: Config) -> Worker {
        Worker { config, functions: Vec::new(), owns_process: false }
    }

    /// Adds an action: an async function from parameters and a [`Context`] to a result.
    ///
    /// Each job runs on a separate thread, so the function may block; a panic is an error of the
    /// job. The function should check [`Context::stop_reason`] or await [`Context::stopped`]. When
    /// it has not returned 2 s after the stop timeout, it is dropped at its next await point; a
    /// function that never awaits is left alone. An error that is an
    /// [`Exception`](crate::Exception) keeps its type; any other has the type `Failed`. Parameters
    /// that do not match `Parameters` are a `BadParameter` that names the field.
    #[must_use]
    pub fn action<Parameters, Running, Output, Error>(
        self,
        name: &str,
        function: impl Fn(Parameters, Context) -> Running + Send + Sync + 'static,
    ) -> Worker
    where
        Parameters: DeserializeOwned + Send + 'static,
        Running: Future<Output = Result<Output, Error>>,
        Output: Serialize,
        Error: Into<anyhow::Error>,
    {
        self.action_with(name, ActionDefaults::default(), function)
    }

    /// Adds an action like [`Worker::action`], with settings that its jobs have unless their
    /// submission overrides them.
    #[must_use]
    pub fn action_with<Parameters, Running, Output, Error>(
        mut self,
        name: &str,
        defaults: ActionDefaults,
        function: impl Fn(Parameters, Context) -> Running + Send + Sync + 'static,
    ) -> Worker
    where
        Parameters: DeserializeOwned + Send + 'static,
        Running: Future<Output = Result<Output, Error>>,
        Output: Serialize,
        Error: Into<anyhow::Error>,
    {
        self.functions.push((name.to_owned(), Arc::new(Function::new(function, defaults))));
        self
    }

    /// Declares that this process starts no processes but the commands of its actions file. Then
    /// the worker also finds, kills and waits for the processes of a command that has killed its
    /// supervisor. It takes any other child of this process for one of these.
    #[must_use]
    pub fn owns_process(mut self) -> Worker {
        self.owns_process = true;
        self
    }

    /// Starts logging, and runs until SIGTERM or SIGINT, as `capstan-worker` does. A second signal
    /// ends the grace period of running jobs.
    pub async fn run(self) -> anyhow::Result<()> {
        start_logging(&self.config.telemetry.log).map_err(anyhow::Error::msg)?;
        let shutdown = Shutdown::default();
        let signals = [shutdown.requested.clone(), shutdown.forced.clone()];
        tokio::select! {
            outcome = self.run_until(shutdown) => outcome,
            never = shutdown_on_signals(&signals) => never?,
        }
    }

    /// Runs until `shutdown`. Waits for the store and the broker, which may start later.
    pub async fn run_until(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let config = self.config;
        let store = Store::new(&config.store.load()?)?;
        let functions = self.functions.into_iter().map(|(name, function)| {
            let name: ActionName = name.parse()?;
            Ok((name, function))
        });
        let functions = functions.collect::<anyhow::Result<Vec<_>>>()?;
        let actions = actions::load(&config, &store, functions, self.owns_process)?;
        let (health, mut registry) = (Health::default(), Registry::with_prefix("capstan_worker"));
        let metrics = Metrics::registered(&mut registry);
        for part in engine::HEALTH_PARTS {
            health.expect(part, HEALTH_PERIOD);
        }
        let admin = Admin { health: health.clone(), registry: Arc::new(registry) };
        let capacity = config.capacity.clone().with_default();
        let resources = Resources { config, capacity, store, actions, health, metrics };
        run_with_admin(Arc::new(resources), admin, shutdown).await
    }
}

/// Runs the engine and the server of health and metrics, which stops last. An error of either ends
/// both.
async fn run_with_admin(
    resources: Arc<Resources>,
    admin: Admin,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let address = resources.config.telemetry.admin_address();
    let stop_admin = CancellationToken::new();
    let serving = serve_admin(address, admin, stop_admin.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { Ok(serving.await?) });
    tasks.spawn(async move {
        let _stop_admin = stop_admin.drop_guard();
        Ok(engine::run(resources, shutdown).await?)
    });
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(error.into()));
        if ended.is_err() {
            outcome = outcome.and(ended);
            tasks.abort_all();
        }
    }
    outcome
}
