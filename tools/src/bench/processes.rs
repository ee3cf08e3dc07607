//! The processes of the fleet on this machine, found by their connections, and what each has used.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use reqwest::Url;
use serde::Serialize;

use crate::sockets::{self, Socket};

const AMQP_PORT: u16 = 5672;
const NOT_FOUND: &str = "not found among the processes whose sockets this user may read";

/// What a process does for the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    RabbitMq,
    Scheduler,
    Worker,
    Api,
    Bench,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) role: Role,
    pub(crate) pid: u32,
    /// Where it listens.
    #[serde(skip)]
    pub(crate) listens: Vec<SocketAddr>,
}

/// The processes of a fleet, and why others were not found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Processes {
    pub(crate) found: Vec<Process>,
    pub(crate) missing: Vec<Missing>,
}

/// A process that was not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Missing {
    pub(crate) role: Role,
    pub(crate) reason: &'static str,
}

/// The addresses of a fleet.
pub(crate) struct Addresses<'a> {
    pub(crate) api: &'a Url,
    pub(crate) amqp: Option<&'a str>,
}

impl Role {
    /// Every role.
    pub(crate) const ALL: [Role; 5] =
        [Role::RabbitMq, Role::Scheduler, Role::Worker, Role::Api, Role::Bench];

    /// Every role but the bench, which is always found.
    const FLEET: [Role; 4] = [Role::RabbitMq, Role::Scheduler, Role::Worker, Role::Api];

    /// The program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Role::RabbitMq => "beam.smp",
            Role::Scheduler => "scheduler",
            Role::Worker => "worker",
            Role::Api => "api",
            Role::Bench => "bench",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.role.program(), self.reason)
    }
}

impl Processes {
    /// Finds the processes: the API and RabbitMQ listen at their addresses; the scheduler and the
    /// workers are connected to RabbitMQ.
    pub(crate) fn find(addresses: &Addresses<'_>) -> Processes {
        let api = local_port(addresses.api, 80);
        let amqp = addresses.amqp.and_then(|url| local_port(&Url::parse(url).ok()?, AMQP_PORT));
        let own = std::process::id();
        let mut found = vec![Process { role: Role::Bench, pid: own, listens: Vec::new() }];
        for (pid, sockets) in sockets::by_process() {
            if pid != own
                && let Some(role) = role(pid, &sockets, api, amqp)
            {
                let listening = sockets.iter().filter(|socket| socket.remote.is_none());
                let listens = listening.map(|socket| socket.local).collect();
                found.push(Process { role, pid, listens });
            }
        }
        found.sort_by_key(|process| (process.role, process.pid));
        let is_missing = |role: &Role| found.iter().all(|process| process.role != *role);
        let missing = Role::FLEET.into_iter().filter(is_missing).map(|role| {
            let port = if role == Role::Api { api } else { amqp };
            let reason = match port {
                Some(_) => NOT_FOUND,
                None if role == Role::Api => "the API is on another machine",
                None if addresses.amqp.is_none() => "pass --amqp-url",
                None => "RabbitMQ is on another machine",
            };
            Missing { role, reason }
        });
        let missing = missing.collect();
        Processes { found, missing }
    }

    /// The processes with these roles.
    pub(crate) fn of(&self, roles: impl Into<Vec<Role>>) -> impl Iterator<Item = &Process> {
        let roles = roles.into();
        self.found.iter().filter(move |process| roles.contains(&process.role))
    }

    /// Only the processes that take part when RabbitMQ and Redis are measured without the fleet.
    pub(crate) fn without_fleet(&self) -> Processes {
        let found = self.of([Role::RabbitMq, Role::Bench]).cloned().collect();
        Processes { found, missing: Vec::new() }
    }

    /// The processor time that the processes of each role have used since they started.
    pub(crate) fn processor_times(&self) -> BTreeMap<Role, Duration> {
        let mut times = BTreeMap::new();
        for process in &self.found {
            *times.entry(process.role).or_default() += processor_time(process.pid);
        }
        times
    }
}

/// The port of an address on this machine; `None` if it is on another one.
fn local_port(url: &Url, default: u16) -> Option<u16> {
    let port = url.port_or_known_default().unwrap_or(default);
    let host = url.host_str()?.trim_matches(['[', ']']);
    let mut addresses = (host, port).to_socket_addrs().ok()?;
    // Only an address of this machine can be bound.
    addresses.any(|address| TcpListener::bind((address.ip(), 0)).is_ok()).then_some(port)
}

fn role(pid: u32, sockets: &[Socket], api: Option<u16>, amqp: Option<u16>) -> Option<Role> {
    let listens = |port: Option<u16>| {
        let listening = sockets.iter().filter(|socket| socket.remote.is_none());
        listening.map(|socket| Some(socket.local.port())).any(|found| found == port)
    };
    let is_connected =
        sockets.iter().filter_map(|socket| socket.remote).any(|to| Some(to.port()) == amqp);
    if listens(api) {
        return Some(Role::Api);
    }
    if listens(amqp) {
        return Some(Role::RabbitMq);
    }
    if !is_connected {
        return None;
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    // The kernel keeps 15 characters of a name. A program with its own actions has any name.
    let is_scheduler = name.trim() == "capstan-schedul";
    Some(if is_scheduler { Role::Scheduler } else { Role::Worker })
}

/// The processor time of a process; zero once it has ended.
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    parse_stat(&stat).unwrap_or_default()
}

/// Adds the 14th and 15th fields, in ticks of 10 ms. The second is the name in parentheses, which
/// may contain spaces.
fn parse_stat(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_of_the_user_and_of_the_system() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 12 30 5 6 20 0 1 0 60966 3133440";
        assert_eq!(parse_stat(stat), Some(Duration::from_millis(420)));
        assert_eq!(parse_stat("7 (ended"), None);
    }

    #[test]
    fn a_process_is_known_by_its_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Url::parse(&format!("http://localhost:{port}")).unwrap();
        assert_eq!(local_port(&url, 80), Some(port));
        let own = std::process::id();
        let sockets = &sockets::by_process()[&own];
        assert_eq!(role(own, sockets, Some(port), None), Some(Role::Api));
        assert_eq!(role(own, sockets, None, Some(port)), Some(Role::RabbitMq));
        let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let connected =
            [Socket { local: stream.local_addr().unwrap(), remote: stream.peer_addr().ok() }];
        assert_eq!(role(own, &connected, None, Some(port)), Some(Role::Worker));
        assert_eq!(role(own, &[], Some(port), Some(port)), None);
    }

    #[test]
    fn what_is_missing_says_why() {
        let api = Url::parse("http://192.0.2.1:8080").unwrap();
        let processes = Processes::find(&Addresses { api: &api, amqp: None });
        assert_eq!(processes.found.iter().map(|one| one.role).collect::<Vec<_>>(), [Role::Bench]);
        let missing: Vec<String> = processes.missing.iter().map(ToString::to_string).collect();
        let expected = [
            "beam.smp: pass --amqp-url",
            "scheduler: pass --amqp-url",
            "worker: pass --amqp-url",
            "api: the API is on another machine",
        ];
        assert_eq!(missing, expected);
    }
}
