//! A primary of Redis, a replica, and three sentinels that promote the replica when the primary is
//! gone: five processes of one test.

use std::time::{Duration, Instant};

use devserver::{Probe, Process, Run, free_port};
use tokio::time::sleep;

use crate::env::DEADLINE;
use crate::private_redis::PrivateRedis;

/// How many sentinels there are. Two of them must agree.
const SENTINELS: usize = 3;

/// The name by which the sentinels know the primary.
const NAME: &str = "jobs";

/// A replicated Redis under sentinels. Dropping it kills the processes and deletes their data.
pub struct PrivateSentinels {
    /// The first primary.
    pub first: PrivateRedis,
    /// Its replica, which the sentinels promote.
    pub second: PrivateRedis,
    sentinels: Vec<Process>,
    ports: Vec<u16>,
    _run: Run,
}

impl PrivateSentinels {
    /// Starts them, and waits until the sentinels know each other and the replica. They take a
    /// server that does not answer for half a second to be down.
    pub async fn start() -> PrivateSentinels {
        let (first, second) = (PrivateRedis::start().await, PrivateRedis::start().await);
        second.replicate(&first).await;
        let run = Run::temporary().expect("the temporary directory is writable");
        let (mut sentinels, mut ports) = (Vec::new(), Vec::new());
        for _ in 0..SENTINELS {
            let port = free_port().expect("a port is free");
            let mut sentinel = sentinel(&run, port, first.port());
            sentinel.start().await.expect("redis-server --sentinel starts");
            sentinels.push(sentinel);
            ports.push(port);
        }
        let redis = PrivateSentinels { first, second, sentinels, ports, _run: run };
        let ready = |state: &str| {
            state.contains(&format!("slaves=1,sentinels={SENTINELS}"))
                && state.contains("status=ok")
        };
        redis.until("the sentinels know each other", ready).await;
        redis
    }

    /// The URL that names the sentinels.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://{}/{NAME}/0", hosts.join(","))
    }

    /// Kills a sentinel.
    pub fn kill_sentinel(&mut self, index: usize) {
        self.sentinels[index].kill();
    }

    /// Waits until the sentinels have promoted the second server.
    pub async fn until_promoted(&self) {
        let port = self.second.port();
        self.until("the replica is promoted", |state| {
            state.contains(&format!("address=127.0.0.1:{port}"))
        })
        .await;
    }

    /// Waits until every sentinel that runs has such a state.
    async fn until(&self, description: &str, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let running = || {
            let all = self.sentinels.iter().zip(&self.ports);
            all.filter(|(sentinel, _)| sentinel.id().is_some()).map(|(_, port)| port)
        };
        let state = |port: &u16| {
            let url = format!("redis://127.0.0.1:{port}");
            self.first.command_as(&url, &["info", "sentinel"])
        };
        while !running().all(|port| condition(&state(port))) {
            let states: Vec<String> = running().map(state).collect();
            assert!(
                Instant::now() < deadline,
                "not within {DEADLINE:?}: {description}\n{states:?}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Describes a sentinel. It writes what it learns into its configuration.
fn sentinel(run: &Run, port: u16, primary: &str) -> Process {
    let name = format!("sentinel-{port}");
    let file = run.folder().join(format!("{name}.conf"));
    let conf = format!(
        "bind 127.0.0.1\nport {port}\ndir {folder}\n\
         sentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds {NAME} 500\n\
         sentinel failover-timeout {NAME} 3000\n",
        folder = run.folder().display(),
    );
    std::fs::write(&file, conf).expect("the folder of the run is writable");
    let mut command = run.command("redis-server");
    command.arg(&file).args(["--sentinel", "--set-proc-title", "no"]);
    Process::new(&name, command, run.log(&name)).with_probe(Probe::redis(port))
}
