//! A Redis process of one test, for tests that fill it up or kill it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use devserver::{Redis, Run};
use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::env::DEADLINE;
use crate::fake_clock::FakeClock;

/// A running Redis. Dropping it kills the process and deletes its data.
pub struct PrivateRedis {
    redis: Redis,
    run: Run,
}

impl PrivateRedis {
    /// Starts a Redis that writes each change to disk, and waits until it is ready.
    pub async fn start() -> PrivateRedis {
        let run = Run::temporary().expect("the temporary directory is writable");
        let redis = Redis::new(&run).expect("a port is free");
        PrivateRedis::begin(run, redis).await
    }

    /// Starts one as [`PrivateRedis::start`] does, with a clock that can be set.
    pub async fn with_clock() -> (PrivateRedis, FakeClock) {
        let run = Run::temporary().expect("the temporary directory is writable");
        let mut redis = Redis::new(&run).expect("a port is free");
        let clock = FakeClock::new(run.folder());
        redis.process = clock.of(redis.process);
        (PrivateRedis::begin(run, redis).await, clock)
    }

    async fn begin(run: Run, mut redis: Redis) -> PrivateRedis {
        redis.process.start().await.expect("redis-server starts");
        PrivateRedis { redis, run }
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.redis.url
    }

    /// Kills the process with SIGKILL.
    pub fn kill(&mut self) {
        self.redis.process.kill();
    }

    /// Suspends the process: its connections stay open, but it does not answer.
    pub fn freeze(&self) {
        self.redis.process.signal(Signal::SIGSTOP).expect("the process runs");
    }

    /// Lets a frozen process continue.
    pub fn thaw(&self) {
        self.redis.process.signal(Signal::SIGCONT).expect("the process runs");
    }

    /// Starts the process again on the same port and data, and waits until it is ready.
    pub async fn restart(&mut self) {
        self.redis.process.start().await.expect("redis-server starts again");
    }

    /// Remembers the present state.
    pub fn save(&self) {
        Redis::save_data(&self.redis.data, &self.saved()).expect("its data can be copied");
    }

    /// Kills the process, and starts it with the state that was saved: what it has acknowledged
    /// since is lost, as after a failover to a replica that was behind.
    pub async fn roll_back(&mut self) {
        self.kill();
        Redis::restore_data(&self.redis.data, &self.saved()).expect("its data can be replaced");
        self.restart().await;
    }

    fn saved(&self) -> PathBuf {
        self.run.folder().join("saved")
    }

    /// Changes a configuration directive of the running process.
    pub fn configure(&self, directive: &str, value: &str) {
        let answer = self.command(&["config", "set", directive, value]);
        assert_eq!(answer, "OK", "CONFIG SET {directive} {value}");
    }

    /// Returns the answer to a command.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> String {
        self.command_as(self.url(), arguments)
    }

    /// Returns the answer to a command of the user in this URL.
    #[must_use]
    pub fn command_as(&self, url: &str, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-u", url]).args(arguments).output();
        let output = output.expect("redis-cli is installed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes it a replica of another Redis, and waits until it has the same data.
    pub async fn replicate(&self, primary: &PrivateRedis) {
        let _ = self.command(&["replicaof", "127.0.0.1", primary.port()]);
        self.until("the replica is in sync", |info| info.contains("master_link_status:up")).await;
    }

    /// Makes it the replica of its replica, without losing a write. It then refuses writes.
    pub async fn fail_over(&self) {
        // Fails while the replica has not acknowledged yet what it received.
        self.until("the failover begins", |_| self.command(&["failover"]) == "OK").await;
        self.until("the failover is over", |info| {
            info.contains("role:slave") && info.contains("master_link_status:up")
        })
        .await;
    }

    async fn until(&self, description: &str, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(&self.command(&["info", "replication"])) {
            assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {description}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(&self) -> &str {
        let port = self.url().rsplit(':').next().and_then(|rest| rest.split('/').next());
        port.expect("the URL has a port")
    }
}
