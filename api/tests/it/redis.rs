//! A Redis of a test's own, that can be filled and stopped: the one that all tests share cannot.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::house::{eventually, free_address};

/// It runs until it is dropped.
pub(crate) struct Redis {
    address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts `redis-server`, which must be installed.
    pub(crate) async fn start() -> Redis {
        let address = free_address();
        let mut command = Command::new("redis-server");
        command.arg("--bind").arg(address.ip().to_string());
        command.arg("--port").arg(address.port().to_string());
        command.args(["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]);
        command.stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("redis-server can be started: is it installed?");
        eventually(async || TcpStream::connect(address).await.is_ok(), |there| *there).await;
        Redis { address, child }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
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
