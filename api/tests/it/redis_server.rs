//! A Redis of a test's own, that can be filled and stopped: the one that all tests share cannot.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::env::{eventually, free_address};

/// It runs until it is dropped.
pub(crate) struct Redis {
    address: SocketAddr,
    scheme: &'static str,
    child: Child,
}

impl Redis {
    /// Starts `redis-server`, which must be installed.
    pub(crate) async fn start() -> Redis {
        Redis::start_with(&[]).await
    }

    /// Starts one that speaks TLS only.
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

    /// Starts one with these flags; the first may be `--tls`, for TLS on its port.
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
        let child = command.spawn().expect("redis-server can be started: is it installed?");
        eventually(async || TcpStream::connect(address).await.is_ok(), |there| *there).await;
        Redis { address, scheme: "redis", child }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// From now on it has no room for anything.
    pub(crate) async fn fill(&self) {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(b"CONFIG SET maxmemory 1\r\n").await.unwrap();
        let mut answer = [0; 5];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    }

    /// From now on it answers nothing, though it is there, and takes connections.
    pub(crate) async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// It answers again.
    pub(crate) async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(sent.success());
    }
}
