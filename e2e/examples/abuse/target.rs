//! The API under attack, on a private Redis and with tokens, and what the kernel reports about its
//! process.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use devserver::{Probe, Process, Redis, Run, free_port};
use domain::access_tokens::{AccessToken, AccessTokenEntry, Role};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

/// A running API with jobs. Clones share it.
#[derive(Clone)]
pub(crate) struct Target(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    token: String,
    /// The token of the well-behaved client.
    other_token: String,
    job: String,
    api: Process,
    _redis: Redis,
    _run: Run,
}

impl Target {
    /// Starts Redis and the API, and submits jobs.
    pub(crate) async fn start(programs: &Path) -> anyhow::Result<Target> {
        let run = Run::temporary()?;
        let mut redis = Redis::new(&run)?;
        redis.process.start().await?;
        let (secret, other) = (AccessToken::random()?, AccessToken::random()?);
        let entry = |name: &str, secret| {
            let name = name.parse().map_err(anyhow::Error::msg)?;
            anyhow::Ok(AccessTokenEntry::new(name, Role::Admin, secret))
        };
        let tokens = run.folder().join("tokens");
        let entries = format!("{}\n{}\n", entry("attacker", &secret)?, entry("client", &other)?);
        fs::write(&tokens, entries)?;
        let port = free_port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = run.command(programs.join("capstan-api"));
        command.arg(format!("--redis-url={}", redis.url)).args(["--admin-listen=", "--log=error"]);
        command.arg(format!("--listen={address}")).arg(format!("--tokens={}", tokens.display()));
        let mut api = Process::new("api", command, run.log("api")).with_probe(Probe::listens(port));
        api.start().await?;
        let token = secret.reveal().to_owned();
        let other_token = other.reveal().to_owned();
        let job = submit_jobs(address, &token).await?;
        let inner = Inner { address, token, other_token, job, api, _redis: redis, _run: run };
        Ok(Target(Arc::new(inner)))
    }

    /// Connects from a local address.
    pub(crate) async fn connect_from(&self, from: [u8; 4]) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((IpAddr::V4(Ipv4Addr::from(from)), 0).into())?;
        let stream = socket.connect(self.0.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The head of a request of the attacker, with a valid token and more headers.
    pub(crate) fn head(&self, method: &str, path: &str, headers: &str) -> String {
        Target::head_with(&self.0.token, method, path, headers)
    }

    /// The same of the well-behaved client.
    pub(crate) fn head_of_client(&self, path: &str, headers: &str) -> String {
        Target::head_with(&self.0.other_token, "GET", path, headers)
    }

    fn head_with(token: &str, method: &str, path: &str, headers: &str) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n");
        let _ = write!(head, "authorization: Bearer {token}\r\n{headers}\r\n");
        head
    }

    /// The id of a waiting job.
    pub(crate) fn job(&self) -> &str {
        &self.0.job
    }

    pub(crate) fn open_files(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(self.proc("fd")?)?.count())
    }

    pub(crate) fn memory_mib(&self) -> anyhow::Result<u64> {
        self.status_mib("VmRSS:")
    }

    /// The highest memory since [`Target::reset_peak_memory`].
    pub(crate) fn peak_memory_mib(&self) -> anyhow::Result<u64> {
        self.status_mib("VmHWM:")
    }

    pub(crate) fn reset_peak_memory(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.proc("clear_refs")?, "5")?)
    }

    fn status_mib(&self, name: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(self.proc("status")?)?;
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let value = value.with_context(|| format!("/proc/…/status has no {name}"))?;
        let kib: u64 = value.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024)
    }

    fn proc(&self, name: &str) -> anyhow::Result<String> {
        let id = self.0.api.id().context("the API has ended")?;
        Ok(format!("/proc/{id}/{name}"))
    }
}

/// Submits jobs and returns the id of one.
async fn submit_jobs(address: SocketAddr, token: &str) -> anyhow::Result<String> {
    let url = format!("http://{address}/api/v0/jobs");
    let client = reqwest::Client::new();
    let submit = |url: String, body| client.post(url).bearer_auth(token).json(&body).send();
    let job = json!({"action": "noop", "comment": "x".repeat(200)});
    // A page of 1,000 of these takes 16 MiB.
    let large = json!({"action": "noop", "parameters": {"text": "x".repeat(16 * 1024)}});
    for _ in 0..2 {
        let batch = json!({"jobs": vec![large.clone(); 500]});
        ensure!(submit(format!("{url}/batch"), batch).await?.status() == 202);
    }
    let batch = json!({"jobs": vec![job.clone(); 2000]});
    ensure!(submit(format!("{url}/batch"), batch).await?.status() == 202);
    let record: Value = submit(url, job).await?.json().await?;
    Ok(record["id"].as_str().context("the answer has no id")?.to_owned())
}
