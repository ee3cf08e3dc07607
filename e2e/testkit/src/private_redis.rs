//! A Redis process of one test, for tests that fill it up or kill it.

use std::path::PathBuf;
use std::process::Command;

use devserver::{Redis, Run};

/// A running Redis. Dropping it kills the process and deletes its data.
pub struct PrivateRedis {
    redis: Redis,
    run: Run,
}

impl PrivateRedis {
    /// Starts a Redis that writes each change to disk, and waits until it is ready.
    pub async fn start() -> PrivateRedis {
        let run = Run::temporary().expect("the temporary directory is writable");
        let mut redis = Redis::new(&run).expect("a port is free");
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
        let output = Command::new("redis-cli")
            .args(["-u", self.url(), "config", "set", directive, value])
            .output()
            .expect("redis-cli is installed");
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(answer.trim(), "OK", "CONFIG SET {directive} {value}");
    }
}
