//! A private Redis with replicas, under three sentinels that promote a replica when the primary is
//! gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::redis_call::call;
use crate::{Error, Probe, Process, Redis, Run, free_port};

/// The name by which the sentinels know the primary.
const NAME: &str = "jobs";
/// How many sentinels there are, and how many of them must agree.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;
/// From where the servers and the sentinels connect to each other, so that a proxy can tell them
/// from clients.
pub const PEERS: &str = "127.0.0.2";

/// Where a server listens, and the port by which everyone reaches it: the same, or that of a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    /// Where it listens.
    pub port: u16,
    /// By which it is reached.
    pub announced: u16,
}

/// A Redis, its replicas, and the sentinels.
#[derive(Debug)]
pub struct ReplicatedRedis {
    /// The URL that names the sentinels.
    pub url: String,
    /// The servers. The first one starts as the primary.
    pub servers: Vec<Redis>,
    /// The sentinels.
    pub sentinels: Vec<Process>,
    /// Where all of them are.
    pub members: Members,
}

/// Where servers and sentinels are. Answers questions about the present state.
#[derive(Debug, Clone)]
pub struct Members {
    servers: Vec<Address>,
    sentinels: Vec<u16>,
}

impl Address {
    /// A free port that is reached directly.
    pub fn direct() -> Result<Address, Error> {
        let port = free_port()?;
        Ok(Address { port, announced: port })
    }
}

impl ReplicatedRedis {
    /// Describes servers and sentinels; they are not started yet. The sentinels take a server that
    /// does not answer for `down_after` to be down.
    pub fn new(
        run: &Run,
        addresses: &[Address],
        down_after: Duration,
    ) -> Result<ReplicatedRedis, Error> {
        let primary = addresses.first().map(|address| address.announced).unwrap_or_default();
        let mut servers = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            let name = format!("redis-{}", index + 1);
            // A file, in which the server notes what the sentinels tell it.
            let file = run.create_folder(&name)?.join("redis.conf");
            let is_primary = address.announced == primary;
            let mut text = server_configuration(*address, (!is_primary).then_some(primary));
            // With two servers, a failover leaves the new primary without a replica.
            if addresses.len() > 2 {
                text.push_str("min-replicas-to-write 1\nmin-replicas-max-lag 10\n");
            }
            write(&file, &text)?;
            servers.push(Redis::of(run, &name, address.port, Some(&file))?);
        }
        let mut sentinels = Vec::new();
        let mut ports = Vec::new();
        for number in 1..=SENTINELS {
            let port = free_port()?;
            let name = format!("sentinel-{number}");
            let folder = run.create_folder(&name)?;
            let file = folder.join("sentinel.conf");
            write(&file, &sentinel_configuration(&folder, port, primary, down_after))?;
            let mut command = run.command(Redis::PROGRAM);
            command.arg(&file).args(["--sentinel", "--set-proc-title", "no"]);
            let log = run.log(&name);
            sentinels.push(Process::new(name, command, log).with_probe(Probe::redis(port)));
            ports.push(port);
        }
        let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let url = format!("redis+sentinel://{}/{NAME}/0", hosts.join(","));
        let members = Members { servers: addresses.to_vec(), sentinels: ports };
        Ok(ReplicatedRedis { url, servers, sentinels, members })
    }

    /// Starts all of them and waits until each is ready; they may not know each other yet.
    pub async fn start(&mut self) -> Result<(), Error> {
        for server in &mut self.servers {
            server.process.start().await?;
        }
        for sentinel in &mut self.sentinels {
            sentinel.start().await?;
        }
        Ok(())
    }
}

impl Members {
    /// The index of the server that most sentinels name as the primary.
    pub async fn primary(&self) -> Option<usize> {
        let mut votes = BTreeMap::<usize, usize>::new();
        for port in &self.sentinels {
            let Some(state) = call(*port, "INFO sentinel").await else { continue };
            if let Some(index) = self.named_in(&state) {
                *votes.entry(index).or_default() += 1;
            }
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count)?;
        (most.1 >= QUORUM).then_some(most.0)
    }

    /// Whether a server says that it is a primary.
    pub async fn is_primary(&self, index: usize) -> bool {
        let state = call(self.servers[index].port, "INFO replication").await;
        state.is_some_and(|state| state.contains("role:master"))
    }

    /// Whether nothing is missing: all sentinels know each other and name the same primary, and all
    /// other servers are its replicas and up to date.
    pub async fn is_whole(&self) -> bool {
        let Some(primary) = self.primary().await else { return false };
        let others = self.servers.len() - 1;
        let complete = format!("slaves={others},sentinels={SENTINELS}");
        for port in &self.sentinels {
            let Some(state) = call(*port, "INFO sentinel").await else { return false };
            let is_ok = state.contains("status=ok") && state.contains(&complete);
            if !is_ok || self.named_in(&state) != Some(primary) {
                return false;
            }
        }
        for (index, server) in self.servers.iter().enumerate() {
            let state = call(server.port, "INFO replication").await.unwrap_or_default();
            let expected = if index == primary {
                state.contains("role:master") && state.matches("state=online").count() == others
            } else {
                let port = self.servers[primary].announced;
                state.contains(&format!("master_port:{port}"))
                    && state.contains("master_link_status:up")
            };
            if !expected {
                return false;
            }
        }
        true
    }

    /// The index of the server that the answer of a sentinel names.
    fn named_in(&self, state: &str) -> Option<usize> {
        let address = state.split("address=127.0.0.1:").nth(1)?;
        let port: u16 = address.split(',').next()?.parse().ok()?;
        self.servers.iter().position(|server| server.announced == port)
    }
}

fn server_configuration(address: Address, primary: Option<u16>) -> String {
    let mut text = format!(
        "replica-announce-ip 127.0.0.1\n\
         replica-announce-port {}\n\
         bind-source-addr {PEERS}\n\
         repl-diskless-sync-delay 0\n",
        address.announced
    );
    if let Some(port) = primary {
        text.push_str(&format!("replicaof 127.0.0.1 {port}\n"));
    }
    text
}

fn sentinel_configuration(folder: &Path, port: u16, primary: u16, down_after: Duration) -> String {
    let (folder, down_after_ms) = (folder.display(), down_after.as_millis());
    format!(
        "bind 127.0.0.1\nport {port}\ndir {folder}\nbind-source-addr {PEERS}\n\
         sentinel announce-ip 127.0.0.1\n\
         sentinel announce-port {port}\n\
         sentinel monitor {NAME} 127.0.0.1 {primary} {QUORUM}\n\
         sentinel down-after-milliseconds {NAME} {down_after_ms}\n\
         sentinel failover-timeout {NAME} {}\n",
        down_after_ms * 6
    )
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}
