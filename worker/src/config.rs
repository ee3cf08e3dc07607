//! The settings of a worker, and the signals that stop it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser};
use domain::capacity::CapacityMap;
use domain::settings::duration;
use service::settings::{BrokerSettings, StoreSettings, TelemetrySettings};
use tokio_util::sync::CancellationToken;

use crate::job_user::JobUser;
use crate::networks::AllowedNetworks;

/// The settings of a worker.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Capacity of this worker, in whole units by type; `default=16` is added unless given
    #[arg(long, env = "CAPSTAN_CAPACITY", default_value = "scan=1,scanCheck=1")]
    pub capacity: CapacityMap,

    /// TOML file that declares actions: commands and webhooks
    #[arg(long, value_name = "FILE", env = "CAPSTAN_ACTIONS")]
    pub actions: Option<PathBuf>,

    /// Directory in which each command gets a private working directory
    #[arg(long, value_name = "DIRECTORY", env = "CAPSTAN_TEMPORARY", default_value = "/tmp")]
    pub temporary: PathBuf,

    /// User and group of commands by number, such as `10002:10002`, instead of the worker's
    #[arg(
        long,
        value_name = "USER:GROUP",
        env = "CAPSTAN_JOB_USER",
        default_value = "",
        hide_default_value = true
    )]
    pub job_user: JobUser,

    /// Run jobs of the action `webhook`, whose URL and headers the submitter chooses
    #[arg(
        long, env = "CAPSTAN_WEBHOOK", action = ArgAction::Set, value_parser = switch,
        default_value = "true",
    )]
    pub webhook: bool,

    /// Private networks that webhooks and subscriptions may reach, on every port or on one, such as
    /// `10.1.0.0/16:8080,127.0.0.1`
    #[arg(
        long,
        value_name = "NETWORKS",
        env = "CAPSTAN_WEBHOOK_ALLOW",
        default_value = "",
        hide_default_value = true
    )]
    pub webhook_allow: AllowedNetworks,

    /// Private networks that only subscriptions may reach in addition, such as `[fd00::7]:443`
    #[arg(
        long,
        value_name = "NETWORKS",
        env = "CAPSTAN_SUBSCRIPTION_ALLOW",
        default_value = "",
        hide_default_value = true
    )]
    pub subscription_allow: AllowedNetworks,

    /// Display name; the worker's id is random
    #[arg(long, env = "CAPSTAN_NAME", default_value = "", hide_default_value = true)]
    pub name: String,

    /// How long this worker keeps its jobs without a heartbeat; it sends five in that time
    #[arg(long, env = "CAPSTAN_LEASE", default_value = "5s", value_parser = lease)]
    pub lease: Duration,

    /// How long an offer may take to find a worker with free capacity
    #[arg(long, env = "CAPSTAN_OFFER_HOLD", default_value = "250ms", value_parser = duration)]
    pub offer_hold: Duration,

    /// How long running jobs may continue after a shutdown request
    #[arg(long, env = "CAPSTAN_SHUTDOWN_GRACE", default_value = "10s", value_parser = duration)]
    pub shutdown_grace: Duration,

    /// The connection to Redis.
    #[command(flatten, next_help_heading = "Redis")]
    pub store: StoreSettings,

    /// The connection to RabbitMQ.
    #[command(flatten, next_help_heading = "RabbitMQ")]
    pub broker: BrokerSettings,

    /// Logs, health and metrics.
    #[command(flatten, next_help_heading = "Logs, health and metrics")]
    pub telemetry: TelemetrySettings,
}

/// Runs jobs on this machine, within its capacity.
#[derive(Parser)]
#[command(name = "capstan-worker", version)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

impl Config {
    /// Reads the settings from this process's flags and environment. Exits the process with a
    /// message when they are invalid, or with the help text when `--help` is given.
    #[must_use]
    pub fn from_arguments() -> Config {
        Cli::parse().config
    }
}

/// The signals that stop a worker. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Stop claiming jobs; running jobs may continue for the grace period.
    pub requested: CancellationToken,
    /// End the grace period now.
    pub forced: CancellationToken,
}

/// Parses a setting that is on unless it is switched off; the empty text counts as not set.
fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("it must be true or false"),
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    let bounds = Duration::from_millis(500)..=Duration::from_secs(3600);
    if bounds.contains(&lease) { Ok(lease) } else { Err("it must be from 500ms to 1h".to_owned()) }
}
