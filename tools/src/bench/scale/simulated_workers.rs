//! Workers in one process, `capstan-bench simulate-workers`. Each has its own lease, connections
//! and consumers, as a worker that is a process has.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use worker::{Config, Shutdown};

use super::cases::CAPACITY;
use crate::fleet_workers::running;
use crate::services::Services;

const COMMAND: &str = "simulate-workers";
const NAME: &str = "bench";
const START_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The arguments of `simulate-workers`.
#[derive(Debug, Args)]
pub(crate) struct SimulatedWorkersArguments {
    /// Number of workers
    #[arg(long, value_name = "N")]
    count: u16,

    #[command(flatten)]
    config: Config,
}

/// The process of the workers.
pub(super) struct SimulatedWorkers {
    child: Child,
    count: u16,
}

impl SimulatedWorkers {
    /// Starts workers and waits until the API lists them.
    pub(super) async fn start(
        api: &ApiClient,
        services: &Services,
        count: u16,
    ) -> Result<SimulatedWorkers, CommandError> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args([COMMAND, "--count", &count.to_string(), "--capacity", CAPACITY]);
        command.envs(services.environment());
        for unwanted in ["CAPSTAN_ACTIONS", "CAPSTAN_ADMIN_LISTEN"] {
            command.env_remove(unwanted);
        }
        command.env("CAPSTAN_LOG", "error").env("CAPSTAN_NAME", NAME);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().context("cannot start the simulated workers")?;
        let mut workers = SimulatedWorkers { child, count };
        workers.until_running(api).await?;
        Ok(workers)
    }

    async fn until_running(&mut self, api: &ApiClient) -> Result<(), CommandError> {
        let start = Instant::now();
        loop {
            let listed = running(api).await?;
            let listed = listed.iter().filter(|worker| worker.name == NAME).count();
            if listed >= self.count.into() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(anyhow!("the simulated workers ended: {status}").into());
            }
            if start.elapsed() > START_TIMEOUT {
                let text = format!(
                    "only {listed} of {} simulated workers have joined the fleet: set \
                     CAPSTAN_NAMESPACE to its namespace, and allow more open files",
                    self.count
                );
                return Err(anyhow!(text).into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u16 {
        self.count
    }

    /// Stops them gracefully.
    pub(super) async fn stop(mut self) -> Result<(), CommandError> {
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).map_err(anyhow::Error::from)?;
        }
        let status = self.child.wait().await?;
        let failed = || anyhow!("the simulated workers failed: {status}").into();
        if status.success() { Ok(()) } else { Err(failed()) }
    }
}

/// Runs workers until SIGTERM or SIGINT, or until the bench that started them ends.
pub(crate) async fn run(arguments: &SimulatedWorkersArguments) -> CommandResult {
    set_pdeathsig(Signal::SIGTERM).map_err(anyhow::Error::from)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(anyhow::Error::from)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(anyhow::Error::from)?;
    let shutdown = Shutdown::default();
    let mut workers = JoinSet::new();
    for _ in 0..arguments.count {
        workers.spawn(worker::run(arguments.config.clone(), shutdown.clone()));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut result = tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(anyhow::Error::from),
        Some(ended) = workers.join_next() => ended.unwrap_or_else(|error| Err(error.into())),
    };
    shutdown.requested.cancel();
    while let Some(ended) = workers.join_next().await {
        result = result.and(ended.unwrap_or_else(|error| Err(error.into())));
    }
    result?;
    Ok(CommandOutcome::Success)
}
