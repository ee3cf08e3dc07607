//! The processes of `capstan up`: started from the servers to the command, stopped in reverse.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use std::{env, iter};

use anyhow::Context;
use client::command::{note, print};
use devserver::{Error, Log, Process, Run, Servers, Services, Settings};

use super::actions;
use super::arguments::UpArguments;
use super::environment::{self, EnvironmentFile};
use super::overview::Overview;

/// How long the command and the services may take to stop, which includes the workers' grace.
const SERVICES_GRACE: Duration = Duration::from_secs(15);
/// How long Redis and RabbitMQ may take to stop when their data is kept.
const SERVERS_GRACE: Duration = Duration::from_secs(30);
/// How many lines of a log are shown after a failure.
const LOG_LINES: usize = 20;

/// Every process of a development server. Dropping it kills what still runs, in the order of the
/// fields.
pub(super) struct Stack<'a> {
    environment_file: Option<EnvironmentFile>,
    command: Option<Process>,
    services: Option<Services>,
    servers: Option<Servers>,
    run: Run,
    arguments: &'a UpArguments,
    /// The folder of this program and of the services' programs.
    programs: PathBuf,
    redis_url: String,
    amqp_url: String,
}

impl<'a> Stack<'a> {
    /// Opens the data folder; starts nothing yet.
    pub(super) fn open(
        arguments: &'a UpArguments,
        existing_servers: Option<(String, String)>,
    ) -> anyhow::Result<Stack<'a>> {
        let program = env::current_exe().context("cannot find the folder of this program")?;
        let programs = program.parent().map(Path::to_owned).unwrap_or_default();
        if Run::sweep() {
            note("capstan: stopped processes that an earlier run left behind when it was killed");
        }
        let run = match &arguments.data {
            Some(folder) => Run::open(folder)?,
            None => Run::temporary()?,
        };
        let (redis_url, amqp_url) = existing_servers.unwrap_or_default();
        let (environment_file, command, services, servers) = (None, None, None, None);
        Ok(Stack {
            environment_file,
            command,
            services,
            servers,
            run,
            arguments,
            programs,
            redis_url,
            amqp_url,
        })
    }

    /// Starts everything. Returns the exit code of the command; without one, waits until something
    /// fails.
    pub(super) async fn serve(&mut self) -> anyhow::Result<u8> {
        // First, because the servers take seconds to start.
        let listen = (!self.arguments.servers_only).then(|| self.arguments.free_address());
        let listen = listen.transpose()?;
        let actions = self.actions_file()?;
        if self.redis_url.is_empty() {
            let servers = self.servers.insert(Servers::new(&self.run).await?);
            self.redis_url.clone_from(&servers.redis.url);
            self.amqp_url.clone_from(&servers.rabbitmq.url);
            servers.start().await?;
        }
        if let Some(listen) = listen {
            let settings = self.settings(listen, actions);
            self.services.insert(Services::new(&self.run, &settings)?).start().await?;
            self.write_environment_file();
        }
        if !self.arguments.command.is_empty() {
            let code = self.run_command().await?;
            if !self.arguments.stay {
                return Ok(code);
            }
            if code != 0 {
                note(format!("capstan: the command failed with exit code {code}"));
            }
        }
        print(self.overview())?;
        Err(watch(&mut self.services, &mut self.servers).await.into())
    }

    /// Stops everything, the command first and the servers last.
    pub(super) async fn stop(&mut self) {
        self.environment_file = None;
        let mut errors = Vec::new();
        if let Some(command) = &mut self.command {
            errors.extend(command.stop(SERVICES_GRACE).await.err());
        }
        if let Some(services) = &mut self.services {
            errors.extend(services.stop(SERVICES_GRACE).await.err());
        }
        // Data that is about to be deleted need not be saved.
        if let Some(servers) = self.servers.as_mut().filter(|_| self.arguments.data.is_some()) {
            errors.extend(servers.stop(SERVERS_GRACE).await.err());
        }
        for error in errors {
            note(format!("capstan: {:#}", anyhow::Error::from(error)));
        }
    }

    /// Prints the end of the log of the process that failed; if it is unknown, of every service.
    pub(super) fn print_logs(&self, error: Option<&anyhow::Error>) {
        let failed = error.map(|error| error.downcast_ref().and_then(Error::process));
        let services = self.services.iter().flat_map(Services::processes);
        let servers = self.servers.iter().flat_map(Servers::processes);
        let shown: Vec<&Process> = match failed {
            None => services.collect(),
            Some(name) => {
                services.chain(servers).filter(|process| Some(process.name()) == name).collect()
            }
        };
        for process in shown {
            for line in process.log().tail(LOG_LINES) {
                note(format!("{:<9} | {line}", process.name()));
            }
        }
    }

    async fn run_command(&mut self) -> anyhow::Result<u8> {
        let (program, rest) = self.arguments.command.split_first().context("no command")?;
        let mut command = self.run.command(program);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = iter::once(self.programs.clone()).chain(env::split_paths(&path));
        command.args(rest).env("PATH", env::join_paths(path)?);
        command.envs(self.variables());
        let name = program.to_string_lossy();
        let command = Process::new(name, command, Log::Inherit).with_group_signals();
        let command = self.command.insert(command);
        command.spawn()?;
        tokio::select! {
            status = command.wait() => Ok(exit_code(status?)),
            error = watch(&mut self.services, &mut self.servers) => Err(error.into()),
        }
    }

    fn settings(&self, listen: SocketAddr, actions: Option<String>) -> Settings {
        let arguments = self.arguments;
        let mut environment = vec![("CAPSTAN_SHUTDOWN_GRACE", arguments.grace.clone())];
        for (name, value) in [
            ("CAPSTAN_CAPACITY", arguments.capacity.clone()),
            ("CAPSTAN_ACTIONS", actions),
            ("CAPSTAN_CRONS", arguments.crons.clone()),
        ] {
            environment.extend(value.map(|value| (name, value)));
        }
        Settings {
            programs: self.programs.clone(),
            redis_url: self.redis_url.clone(),
            amqp_url: self.amqp_url.clone(),
            listen,
            workers: arguments.workers,
            environment,
            on_screen: arguments.command.is_empty() || arguments.stay,
        }
    }

    /// The file of all actions, made of several if several are given.
    fn actions_file(&self) -> anyhow::Result<Option<String>> {
        let mut files = self.arguments.actions_files();
        if files.len() < 2 {
            return Ok(files.pop());
        }
        let path = self.run.folder().join("actions.toml");
        let written = std::fs::write(&path, actions::merged(&files)?);
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Some(path.display().to_string()))
    }

    /// Writes where everything is into a file. The fleet works without it, so an error is only
    /// reported.
    fn write_environment_file(&mut self) {
        match EnvironmentFile::write(&self.variables(), &self.programs) {
            Ok(file) => {
                self.environment_file = Some(file);
                if self.arguments.stay {
                    note(format!("capstan: for another terminal: . {}", environment::PATH));
                }
            }
            // A command finds everything in its own environment.
            Err(_) if !self.arguments.command.is_empty() && !self.arguments.stay => {}
            Err(error) => note(format!("capstan: {error:#}")),
        }
        // The overview comes after the command.
        if let Some(services) = self.services.as_ref().filter(|_| self.arguments.stay) {
            note(format!("capstan: the API is {}", services.url()));
        }
    }

    /// The environment variables that say where everything is.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(services) = &self.services {
            variables.push(("CAPSTAN_API", services.url().to_owned()));
            variables.push(("CAPSTAN_REDIS_URL", self.redis_url.clone()));
            variables.push(("CAPSTAN_AMQP_URL", self.amqp_url.clone()));
        } else if let Some(servers) = &self.servers {
            let rabbitmqctl = servers.rabbitmq.rabbitmqctl.display().to_string();
            variables.push(("CAPSTAN_TEST_REDIS_URL", self.redis_url.clone()));
            variables.push(("CAPSTAN_TEST_AMQP_URL", self.amqp_url.clone()));
            variables.push(("CAPSTAN_TEST_RABBITMQCTL", rabbitmqctl));
        }
        variables
    }

    /// Says where everything is, and three things to try.
    fn overview(&self) -> String {
        let Some(services) = &self.services else {
            let variables = self.variables();
            let lines = variables.iter().map(|(name, value)| format!("export {name}={value}"));
            return lines.collect::<Vec<_>>().join("\n");
        };
        let data = match &self.arguments.data {
            Some(_) => format!("{} (kept)", self.run.folder().display()),
            None => "deleted at the end; keep it with --data DIR".to_owned(),
        };
        let overview = Overview {
            api: services.url(),
            redis: &self.redis_url,
            rabbitmq: &self.amqp_url,
            data,
            has_environment_file: self.environment_file.is_some(),
        };
        overview.text()
    }
}

/// Waits until one of the services or servers ends, and returns that as an error.
async fn watch(services: &mut Option<Services>, servers: &mut Option<Servers>) -> Error {
    tokio::select! {
        Some(error) = async { Some(services.as_mut()?.watch().await) } => error,
        Some(error) = async { Some(servers.as_mut()?.watch().await) } => error,
        else => std::future::pending().await,
    }
}

/// The exit code as shells compute it: 128 + N for a command that signal N killed.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
