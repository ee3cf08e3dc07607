//! A Redis of a test's own, a real process, to be filled up and killed: what no other test must see.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use store::{Store, StoreConfig};

/// The process and its folder; both are gone when it is dropped.
pub struct Redis {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Redis {
    /// Starts one, as durable as a real one should be, and waits until it answers.
    pub async fn start() -> Redis {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let folder = std::env::temp_dir().join(format!("redis-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("a folder can be made");
        let mut redis = Redis { folder, port, process: None };
        drop(listener);
        redis.restart().await;
        redis
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills it, as the kernel does when memory is short.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it on what it has on disk, and waits until it answers.
    pub async fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let flags = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "yes"];
        let mut command = Command::new("redis-server");
        command.args(flags).args(["--appendfsync", "always"]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().expect("redis-server can be started"));
        let config = StoreConfig::new(self.url(), "test");
        let store = Store::new(&config).expect("the URL can be read");
        while store.ping().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Sets one of its settings while it runs.
    pub fn set(&self, name: &str, value: &str) {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port, "config", "set", name, value])
            .output()
            .expect("redis-cli can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.trim(), "OK", "config set {name} {value}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
