//! A primary of Redis, a replica, and three sentinels that promote the replica when the primary is
//! gone: five processes of one test.

use std::time::{Duration, Instant};

use devserver::{Address, ReplicatedRedis, Run};
use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::env::DEADLINE;
use crate::proxy::Proxy;

/// How long a server must not answer until the sentinels take it to be down.
const DOWN_AFTER: Duration = Duration::from_millis(500);

/// A replicated Redis under sentinels, each server behind a proxy. Dropping it kills the processes
/// and deletes their data.
pub struct PrivateSentinels {
    redis: ReplicatedRedis,
    proxies: Vec<Proxy>,
    _run: Run,
}

impl PrivateSentinels {
    /// Starts them, and waits until the sentinels know each other and the replica. The first server
    /// is the primary.
    pub async fn start() -> PrivateSentinels {
        let run = Run::temporary().expect("the temporary directory is writable");
        let (mut addresses, mut proxies) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let port = devserver::free_port().expect("a port is free");
            let proxy = Proxy::new(format!("127.0.0.1:{port}")).await;
            addresses.push(Address { port, announced: proxy.address().port() });
            proxies.push(proxy);
        }
        let mut redis = ReplicatedRedis::new(&run, &addresses, DOWN_AFTER).expect("ports are free");
        redis.start().await.expect("redis-server and its sentinels start");
        let redis = PrivateSentinels { redis, proxies, _run: run };
        let members = &redis.redis.members;
        redis.until("the sentinels know each other", async || members.is_whole().await).await;
        redis
    }

    /// The URL that names the sentinels.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.redis.url
    }

    /// The URL of a server.
    #[must_use]
    pub fn server_url(&self, index: usize) -> &str {
        &self.redis.servers[index].url
    }

    /// Kills a server.
    pub fn kill(&mut self, index: usize) {
        self.redis.servers[index].process.kill();
    }

    /// Suspends a server: its connections stay open, but it does not answer.
    pub fn freeze(&self, index: usize) {
        self.signal(index, Signal::SIGSTOP);
    }

    /// Lets a frozen server continue.
    pub fn thaw(&self, index: usize) {
        self.signal(index, Signal::SIGCONT);
    }

    /// Cuts a server off from the other server and from the sentinels. Clients reach it.
    pub fn cut_off(&self, index: usize) {
        self.proxies[index].stall_peers();
    }

    /// Kills a sentinel.
    pub fn kill_sentinel(&mut self, index: usize) {
        self.redis.sentinels[index].kill();
    }

    /// Waits until the sentinels have promoted a server.
    pub async fn until_promoted(&self, index: usize) {
        let members = &self.redis.members;
        let promoted =
            async || members.primary().await == Some(index) && members.is_primary(index).await;
        self.until("the replica is promoted", promoted).await;
    }

    /// Whether a server says that it is a primary.
    pub async fn is_primary(&self, index: usize) -> bool {
        self.redis.members.is_primary(index).await
    }

    fn signal(&self, index: usize, signal: Signal) {
        self.redis.servers[index].process.signal(signal).expect("the process runs");
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
