//! A private Redis server, for tests that fill or stop it. The shared one must not be.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::env::{eventually, free_address};

/// A Redis server that runs until it is dropped.
pub(crate) struct Redis {
    address: SocketAddr,
    scheme: &'static str,
    child: Child,
}

impl Redis {
    /// Starts a server. The program `redis-server` must be installed.
    pub(crate) async fn start() -> Redis {
        Redis::start_with(&[]).await
    }

    /// Starts a server that accepts only TLS.
    pub(crate) async fn start_tls(
        address: SocketAddr,
        [certificate, key]: &[PathBuf; 2],
        ca: &Path,
    ) -> Redis {
        let file = |path: &Path| path.to_str().unwrap().to_owned();
        let (certificate, key, ca) = (file(certificate), file(key), file(ca));
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
        let trust = ["--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"];
        let mut redis = Redis::start_at(address, &[&["--tls"], &files[..], &trust].concat()).await;
        redis.scheme = "rediss";
        redis
    }

    /// Starts a server with these flags. The first may be `--tls`, for TLS on its port.
    pub(crate) async fn start_with(flags: &[&str]) -> Redis {
        Redis::start_at(free_address(), flags).await
    }

    async fn start_at(address: SocketAddr, flags: &[&str]) -> Redis {
        let mut command = Command::new("redis-server");
        command.arg("--bind").arg(address.ip().to_string());
        let port = address.port().to_string();
        match flags {
            ["--tls", flags @ ..] => command.args(["--port", "0", "--tls-port", &port]).args(flags),
            flags => command.args(["--port", &port]).args(flags),
        };
        command.args(["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]);
        command.stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("redis-server must be installed");
        eventually(async || TcpStream::connect(address).await.is_ok(), |connected| *connected)
            .await;
        Redis { address, scheme: "redis", child }
    }

    /// Returns the URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Lowers the memory limit, so that the server refuses every write that needs memory.
    pub(crate) async fn fill(&self) {
        self.limit_memory(1).await;
    }

    /// Sets the memory limit; 0 is none.
    pub(crate) async fn limit_memory(&self, bytes: u64) {
        self.call(&format!("CONFIG SET maxmemory {bytes}")).await;
    }

    /// Makes the server a replica of one that does not exist. It refuses writes and answers reads.
    pub(crate) async fn demote(&self) {
        self.call("REPLICAOF 127.0.0.1 1").await;
    }

    /// Makes the server a primary again.
    pub(crate) async fn promote(&self) {
        self.call("REPLICAOF NO ONE").await;
    }

    async fn call(&self, command: &str) {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let mut answer = [0; 5];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+OK\r\n", "{command}");
    }

    /// Stops the process, so that it accepts connections but does not answer.
    pub(crate) async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// Continues the process.
    pub(crate) async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("the server is running").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(sent.success());
    }
}
