//! A private Redis Cluster: primaries that share the slots, and spare nodes that can become
//! replicas.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::redis_call::call;
use crate::{Error, Redis, Run, free_port};

/// How many slots a cluster has.
const SLOTS: usize = 16_384;
/// How long a primary must not answer until the others take it to be down.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);
const FORMED_WITHIN: Duration = Duration::from_secs(30);
const PERIOD: Duration = Duration::from_millis(50);

/// The nodes of a Redis Cluster.
#[derive(Debug)]
pub struct RedisCluster {
    /// The URL that names all nodes.
    pub url: String,
    /// The primaries, which have an equal share of the slots each, then the spare nodes.
    pub nodes: Vec<Redis>,
    primaries: usize,
    ports: Vec<(u16, u16)>,
}

impl RedisCluster {
    /// Describes the nodes; they are not started yet.
    pub fn new(run: &Run, primaries: usize, spare: usize) -> Result<RedisCluster, Error> {
        let (mut nodes, mut ports, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
        for number in 1..=primaries + spare {
            let name = format!("redis-{number}");
            let (port, bus_port) = (free_port()?, free_port()?);
            let file = run.create_folder(&name)?.join("redis.conf");
            let text = format!(
                "cluster-enabled yes\ncluster-port {bus_port}\ncluster-node-timeout {}\n\
                 repl-diskless-sync-delay 0\n",
                NODE_TIMEOUT.as_millis()
            );
            let written = std::fs::write(&file, text);
            written.map_err(Error::io(format!("write {}", file.display())))?;
            nodes.push(Redis::of(run, &name, port, Some(&file))?);
            ports.push((port, bus_port));
            hosts.push(format!("127.0.0.1:{port}"));
        }
        let url = format!("redis+cluster://{}", hosts.join(","));
        Ok(RedisCluster { url, nodes, primaries, ports })
    }

    /// Starts the nodes, and waits until they form a cluster.
    pub async fn start(&mut self) -> Result<(), Error> {
        for node in &mut self.nodes {
            node.process.start().await?;
        }
        for (index, (port, _)) in self.ports.iter().enumerate().take(self.primaries) {
            let share = |index| index * SLOTS / self.primaries;
            let (first, last) = (share(index), share(index + 1) - 1);
            call(*port, &format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await;
        }
        let [(first, _), others @ ..] = &self.ports[..] else { return Ok(()) };
        for (port, bus_port) in others {
            call(*first, &format!("CLUSTER MEET 127.0.0.1 {port} {bus_port}")).await;
        }
        let deadline = Instant::now() + FORMED_WITHIN;
        while !self.is_formed().await {
            if Instant::now() > deadline {
                let process = "redis cluster".to_owned();
                return Err(Error::NotReady { process, limit: FORMED_WITHIN });
            }
            sleep(PERIOD).await;
        }
        Ok(())
    }

    /// The index of the primary that has a slot at the start.
    #[must_use]
    pub fn holder_of(&self, slot: usize) -> usize {
        (slot * self.primaries + self.primaries - 1) / SLOTS
    }

    async fn is_formed(&self) -> bool {
        let complete = format!("cluster_known_nodes:{}", self.nodes.len());
        for (port, _) in &self.ports {
            let state = call(*port, "CLUSTER INFO").await.unwrap_or_default();
            if !state.contains("cluster_state:ok") || !state.contains(&complete) {
                return false;
            }
        }
        true
    }
}
