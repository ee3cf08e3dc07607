//! The arguments of `capstan up`.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use client::command::CommandError;

const EXAMPLES: &str = "\
Examples:
  capstan up --data ~/capstan
  capstan up --actions actions.toml --capacity scan=2,cpu=8 --workers 3
  capstan up --listen 127.0.0.1:0 -- ./integration-test.sh

COMMAND finds the API in CAPSTAN_API, Redis and RabbitMQ in CAPSTAN_REDIS_URL and CAPSTAN_AMQP_URL,
and capstan in its PATH. `capstan up` then exits with the exit code of COMMAND. Every other
CAPSTAN_ variable is passed on to the services.

While the fleet runs, .capstan/env in the working directory has the variables to use it from another
terminal:
  . .capstan/env && capstan-worker --actions mine.toml";

/// The arguments of `up`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArguments {
    /// Keep jobs in this directory [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// Address of the API; port 0 means any free port
    #[arg(
        long,
        env = "CAPSTAN_LISTEN",
        default_value = "127.0.0.1:8080",
        hide_env_values = true,
        value_name = "HOST:PORT"
    )]
    listen: SocketAddr,

    /// Number of workers
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(super) workers: u16,

    /// Capacity of each worker, for example scan=1,cpu=4
    #[arg(long, env = "CAPSTAN_CAPACITY", hide_env_values = true, value_name = "TYPE=UNITS,...")]
    pub(super) capacity: Option<String>,

    /// Actions of the workers besides the built-in ones and those of the file in CAPSTAN_ACTIONS;
    /// can be repeated
    #[arg(long, value_name = "FILE")]
    actions: Vec<String>,

    /// Crons that the scheduler applies when it starts
    #[arg(long, env = "CAPSTAN_CRONS", hide_env_values = true, value_name = "FILE")]
    pub(super) crons: Option<String>,

    /// Use this Redis instead of a private one; needs --amqp
    #[arg(long, env = "CAPSTAN_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis: Option<String>,

    /// Use this RabbitMQ instead of a private one; needs --redis
    #[arg(long, env = "CAPSTAN_AMQP_URL", hide_env_values = true, value_name = "URL")]
    amqp: Option<String>,

    /// Time that running jobs have to finish when the workers stop
    #[arg(
        long,
        env = "CAPSTAN_SHUTDOWN_GRACE",
        default_value = "3s",
        hide_env_values = true,
        value_name = "DURATION"
    )]
    pub(super) grace: String,

    /// Start only a private Redis and RabbitMQ, for tests; prints their CAPSTAN_TEST_ variables
    #[arg(long)]
    pub(super) servers_only: bool,

    /// Keep running after COMMAND has ended, until Ctrl-C
    #[arg(long, requires = "command")]
    pub(super) stay: bool,

    /// Run this command once everything is ready, then stop
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

impl UpArguments {
    /// Returns the URLs of the given Redis and RabbitMQ; `None` if private ones are to be started.
    pub(super) fn existing_servers(&self) -> Result<Option<(String, String)>, CommandError> {
        let given = |url: &Option<String>| url.clone().filter(|url| !url.is_empty());
        match (given(&self.redis), given(&self.amqp)) {
            _ if self.servers_only => Ok(None),
            (Some(redis), Some(amqp)) => Ok(Some((redis, amqp))),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(CommandError::Usage(
                "--redis and --amqp (CAPSTAN_REDIS_URL and CAPSTAN_AMQP_URL) need each other"
                    .to_owned(),
            )),
        }
    }

    /// Returns the files of actions, the one of the environment first.
    #[expect(clippy::disallowed_methods, reason = "with clap, the flag would replace the variable")]
    pub(super) fn actions_files(&self) -> Vec<String> {
        let inherited = env::var("CAPSTAN_ACTIONS").ok().filter(|file| !file.is_empty());
        inherited.into_iter().chain(self.actions.iter().cloned()).collect()
    }

    /// Returns the address for the API, with a port on which nothing listens yet.
    pub(super) fn free_address(&self) -> anyhow::Result<SocketAddr> {
        let mut address = self.listen;
        if address.port() == 0 {
            address.set_port(devserver::free_port()?);
        }
        match TcpListener::bind(address) {
            Ok(_) => Ok(address),
            Err(error) if error.kind() == ErrorKind::AddrInUse => anyhow::bail!(
                "{address} is in use; choose another address, for example --listen {}:0 \
                 for any free port",
                address.ip()
            ),
            Err(error) => Err(error).context(format!("cannot listen on --listen {address}")),
        }
    }
}
