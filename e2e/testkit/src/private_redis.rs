//! A Redis process of one test, for tests that fill it up or kill it.

use std::process::Command;

use devserver::{Redis, Run};

/// A running Redis. Dropping it kills the process and deletes its data.
pub struct PrivateRedis {
    redis: Redis,
    _run: Run,
}

impl PrivateRedis {
    /// Starts a Redis that writes each change to disk, and waits until it is ready.
    pub async fn start() -> PrivateRedis {
        let run = Run::temporary().expect("the temporary directory is writable");
        let mut redis = Redis::new(&run).expect("a port is free");
        redis.process.start().await.expect("redis-server starts");
        PrivateRedis { redis, _run: run }
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
}
