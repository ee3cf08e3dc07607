//! Capstan's services as child processes: a scheduler, workers and an API.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;

use crate::process::{first_to_end, was_killed};
use crate::{Error, Log, Probe, Process, Run, free_port};

/// What the services need to know. Every other setting is inherited from our own environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the programs `capstan-scheduler`, `capstan-worker` and `capstan-api`.
    pub programs: PathBuf,
    /// The URL of Redis.
    pub redis_url: String,
    /// The URL of RabbitMQ.
    pub amqp_url: String,
    /// The address on which the API listens.
    pub listen: SocketAddr,
    /// How many workers to start.
    pub workers: u16,
    /// Further environment variables of all services.
    pub environment: Vec<(&'static str, String)>,
    /// Whether the services print to the screen rather than to their log files.
    pub on_screen: bool,
}

/// A scheduler, workers and an API.
#[derive(Debug)]
pub struct Services {
    processes: Vec<Process>,
    url: String,
}

impl Services {
    /// Describes the services; they are not started yet.
    pub fn new(run: &Run, settings: &Settings) -> Result<Services, Error> {
        let describe = |name: &str, program, environment: &[(&str, String)]| {
            let admin = free_port()?;
            let mut command: Command = run.command(settings.programs.join(program));
            command.envs(settings.environment.iter().map(|(name, value)| (name, value)));
            command.env("CAPSTAN_REDIS_URL", &settings.redis_url);
            command.env("CAPSTAN_AMQP_URL", &settings.amqp_url);
            command.env("CAPSTAN_ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
            command.envs(environment.iter().map(|(name, value)| (name, value)));
            let log = if settings.on_screen { Log::Screen } else { run.log(name) };
            Ok(Process::new(name, command, log).with_probe(Probe::readyz(admin)))
        };
        let mut processes = vec![describe("scheduler", "capstan-scheduler", &[])?];
        for number in 1..=settings.workers {
            let name = format!("worker-{number}");
            let environment = [("CAPSTAN_NAME", name.clone())];
            processes.push(describe(&name, "capstan-worker", &environment)?);
        }
        let environment = [("CAPSTAN_LISTEN", settings.listen.to_string())];
        processes.push(describe("api", "capstan-api", &environment)?);
        Ok(Services { processes, url: url_of(settings.listen) })
    }

    /// The URL of the API, for a client on this machine.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts all of them and waits until each is ready.
    pub async fn start(&mut self) -> Result<(), Error> {
        for process in &mut self.processes {
            process.spawn()?;
        }
        for process in &mut self.processes {
            process.ready().await?;
        }
        Ok(())
    }

    /// Restarts each service that is killed, as Compose and systemd would. Waits until one ends by
    /// itself, and returns that as an error.
    pub async fn watch(&mut self) -> Error {
        loop {
            let (index, status) = match first_to_end(self.processes.iter_mut()).await {
                Ok(ended) => ended,
                Err(error) => return error,
            };
            let process = &mut self.processes[index];
            if !was_killed(status) {
                return Error::Ended { process: process.name().to_owned(), status };
            }
            if let Err(error) = process.spawn() {
                return error;
            }
        }
    }

    /// Asks all of them to stop, and kills those that have not ended within `grace`.
    pub async fn stop(&mut self, grace: Duration) -> Result<(), Error> {
        let stops = self.processes.iter_mut().map(|process| process.stop(grace));
        join_all(stops).await.into_iter().try_for_each(|stopped| stopped.map(drop))
    }

    /// Their processes: the scheduler, the workers, the API.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter()
    }
}

/// The URL for clients on this machine.
fn url_of(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_a_client_on_this_machine_can_use() {
        for (listen, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://[::1]:8080"),
            ("192.0.2.1:80", "http://192.0.2.1:80"),
        ] {
            assert_eq!(url_of(listen.parse().unwrap()), url);
        }
    }
}
