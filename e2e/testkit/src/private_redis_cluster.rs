//! A Redis Cluster of one test: three primaries and a node that takes over from one of them.

use std::time::{Duration, Instant};

use devserver::{RedisCluster, Run};
use tokio::time::sleep;

use crate::env::DEADLINE;
use crate::redis_cli::redis_cli;

const PRIMARIES: usize = 3;

/// A Redis Cluster. Dropping it kills the processes and deletes their data.
pub struct PrivateRedisCluster {
    cluster: RedisCluster,
    _run: Run,
}

impl PrivateRedisCluster {
    /// Starts the nodes, and waits until they form a cluster.
    pub async fn start() -> PrivateRedisCluster {
        let run = Run::temporary().expect("the temporary directory is writable");
        let mut cluster = RedisCluster::new(&run, PRIMARIES, 1).expect("ports are free");
        cluster.start().await.expect("the nodes form a cluster");
        PrivateRedisCluster { cluster, _run: run }
    }

    /// The URL that names the nodes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.cluster.url
    }

    /// The URL of one node.
    #[must_use]
    pub fn node_url(&self, node: usize) -> &str {
        &self.cluster.nodes[node].url
    }

    /// The primary that holds a key at the start.
    pub async fn holder_of(&self, key: &str) -> usize {
        let slot = self.call(0, &["cluster", "keyslot", key]).await;
        self.cluster.holder_of(slot.parse().expect("KEYSLOT answers a number"))
    }

    /// The spare node.
    #[must_use]
    pub fn spare(&self) -> usize {
        PRIMARIES
    }

    /// Makes a node the replica of another one, and waits until it has the same data.
    pub async fn replicate(&self, node: usize, primary: usize) {
        let id = self.call(primary, &["cluster", "myid"]).await;
        self.call(node, &["cluster", "replicate", &id]).await;
        self.until("the replica is in sync", async || {
            let state = self.call(node, &["info", "replication"]).await;
            state.contains("role:slave") && state.contains("master_link_status:up")
        })
        .await;
    }

    /// Lets a replica take over from its primary, which becomes its replica.
    pub async fn take_over(&self, node: usize) {
        self.call(node, &["cluster", "failover"]).await;
        self.until_primary(node).await;
    }

    /// Waits until a node is a primary.
    pub async fn until_primary(&self, node: usize) {
        self.until("the node is a primary", async || {
            self.call(node, &["role"]).await.starts_with("master")
        })
        .await;
    }

    /// Kills a node.
    pub fn kill(&mut self, node: usize) {
        self.cluster.nodes[node].process.kill();
    }

    async fn call(&self, node: usize, arguments: &[&str]) -> String {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        redis_cli(&self.cluster.nodes[node].url, arguments).await.trim().to_owned()
    }

    async fn until<Condition>(&self, description: &str, condition: impl Fn() -> Condition)
    where
        Condition: Future<Output = bool>,
    {
        let deadline = Instant::now() + DEADLINE;
        while !condition().await {
            assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {description}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}
