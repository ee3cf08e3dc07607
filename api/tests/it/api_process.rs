//! The API as a process of its own, for what only a process shows: its memory, its output, its end.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use domain::job::WorkerId;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::env::{PATIENCE, eventually, free_address, redis_url};

/// It runs until it is dropped.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
}

/// The program with these flags, on an address and in a namespace of its own.
fn command(address: SocketAddr, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capstan-api"));
    command.env_clear().args(flags).kill_on_drop(true);
    command.env("CAPSTAN_LISTEN", address.to_string());
    command.env("CAPSTAN_NAMESPACE", format!("test-api-{}", WorkerId::random()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Process {
    /// Starts it over the Redis of the tests, and waits until it serves.
    pub(crate) async fn start(flags: &[&str]) -> Process {
        let address = free_address();
        let child = command(address, flags).env("CAPSTAN_REDIS_URL", redis_url()).spawn().unwrap();
        eventually(async || TcpStream::connect(address).await.is_ok(), |there| *there).await;
        Process { address, child }
    }

    /// How much memory it has now, in MiB.
    pub(crate) fn resident_mib(&self) -> usize {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    }
}

/// Runs it with these flags and this environment until `enough` is said, or until it ends; returns
/// all it said.
pub(crate) async fn said(
    flags: &[&str],
    environment: &[(&str, &str)],
    enough: &str,
) -> (String, Option<ExitStatus>) {
    let mut command = command(free_address(), flags);
    command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut text = Vec::new();
    let reading = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = err.read(&mut bytes).await {
            text.extend_from_slice(&bytes[..count]);
            if String::from_utf8_lossy(&text).contains(enough) {
                return false;
            }
        }
        true
    };
    let Ok(ended) = tokio::time::timeout(PATIENCE, reading).await else {
        panic!("it neither says {enough:?} nor ends: {}", String::from_utf8_lossy(&text))
    };
    let status = if ended { Some(child.wait().await.unwrap()) } else { None };
    child.kill().await.unwrap();
    out.read_to_end(&mut text).await.unwrap();
    err.read_to_end(&mut text).await.unwrap();
    (String::from_utf8_lossy(&text).into_owned(), status)
}
