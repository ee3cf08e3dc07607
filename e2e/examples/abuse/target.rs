//! The API that is attacked, over a Redis of its own, with tokens; and what the system tells of its process.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use domain::tokens::{Entry, Role, Secret};
use serde_json::json;
use store::Store;
use store::StoreConfig;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};

/// Clones are the same.
#[derive(Clone)]
pub(crate) struct Target(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    token: String,
    job: String,
    api: Child,
    folder: std::path::PathBuf,
    _redis: Child,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Target {
    /// Starts both, and makes some jobs.
    pub(crate) async fn start(programs: &Path, port: u16) -> anyhow::Result<Target> {
        let folder = std::env::temp_dir().join(format!("capstan-abuse-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        let _redis = command.stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let store = StoreConfig::new(format!("redis://127.0.0.1:{port}"), "abuse");
        wait_for(&Store::new(&store)?).await?;

        let secret = Secret::random()?;
        let tokens = folder.join("tokens");
        let entry =
            Entry::new("behaved".parse().map_err(anyhow::Error::msg)?, Role::Admin, &secret);
        fs::write(&tokens, format!("{entry}\n"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port + 1));
        let mut command = Command::new(programs.join("capstan-api"));
        command.arg(format!("--redis-url={}", store.redis_url)).arg("--namespace=abuse");
        command.arg(format!("--listen={address}")).arg(format!("--tokens={}", tokens.display()));
        command.args(["--admin-listen=", "--log=error"]);
        let api = command.kill_on_drop(true).spawn().context("cannot start capstan-api")?;
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let token = secret.reveal().to_owned();
        let url = format!("http://{address}/api/v0/jobs");
        let client = reqwest::Client::new();
        let submit = |url: String, body| client.post(url).bearer_auth(&token).json(&body).send();
        let job = json!({"action": "noop", "comment": "x".repeat(200)});
        let many = json!({"jobs": vec![job.clone(); 2000]});
        ensure!(submit(format!("{url}/batch"), many).await?.status() == 202);
        let one: serde_json::Value = submit(url, job).await?.json().await?;
        let job = one["id"].as_str().context("it has an id")?.to_owned();
        Ok(Target(Arc::new(Inner { address, token, job, api, folder, _redis })))
    }

    /// A connection from this address.
    pub(crate) async fn connect(&self, from: [u8; 4]) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((IpAddr::V4(Ipv4Addr::from(from)), 0).into())?;
        let connection = socket.connect(self.0.address).await?;
        connection.set_nodelay(true)?;
        Ok(connection)
    }

    /// The head of a request by somebody who may do everything, with what else it is to say.
    pub(crate) fn head(&self, method: &str, path: &str, more: &str) -> String {
        let token = &self.0.token;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n");
        let _ = write!(head, "authorization: Bearer {token}\r\n{more}\r\n");
        head
    }

    /// A job that waits.
    pub(crate) fn job(&self) -> &str {
        &self.0.job
    }

    /// How many descriptors it has.
    pub(crate) fn files(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(self.proc("fd")?)?.count())
    }

    /// How much memory it has.
    pub(crate) fn resident_mib(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// How much it has had at most, since that was forgotten.
    pub(crate) fn worst_mib(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    /// Forgets how much that was.
    pub(crate) fn forget_worst(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.proc("clear_refs")?, "5")?)
    }

    fn status(&self, name: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.proc("status")?)?;
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)).context("it is there")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024)
    }

    fn proc(&self, name: &str) -> anyhow::Result<String> {
        let id = self.0.api.id().context("the api has ended")?;
        Ok(format!("/proc/{id}/{name}"))
    }
}

async fn wait_for(store: &Store) -> anyhow::Result<()> {
    let begin = Instant::now();
    while store.ping().await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(10), "redis does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
