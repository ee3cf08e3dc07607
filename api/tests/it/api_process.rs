//! The API as a separate process, for tests of its limits, its output and its exit status.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use domain::job::WorkerId;
use store::{Store, StoreConfig};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::env::{TIMEOUT, eventually, free_address, redis_url};

/// A running API that is killed on drop.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    namespace: String,
    child: Child,
}

/// Returns the program with these flags, on this address and in its own namespace.
fn command(address: SocketAddr, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capstan-api"));
    command.env_clear().args(flags).kill_on_drop(true);
    command.env("CAPSTAN_LISTEN", address.to_string());
    command.env("CAPSTAN_NAMESPACE", format!("test-api-{}", WorkerId::random()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Process {
    /// Starts the program with the shared Redis and waits until it accepts connections.
    pub(crate) async fn start(flags: &[&str]) -> Process {
        Process::start_in(format!("test-api-{}", WorkerId::random()), flags).await
    }

    async fn start_in(namespace: String, flags: &[&str]) -> Process {
        let address = free_address();
        let mut command = command(address, flags);
        command.env("CAPSTAN_REDIS_URL", redis_url()).env("CAPSTAN_NAMESPACE", &namespace);
        let child = command.spawn().unwrap();
        eventually(async || TcpStream::connect(address).await.is_ok(), |connected| *connected)
            .await;
        Process { address, namespace, child }
    }

    /// Kills the program and starts it again with the same jobs.
    pub(crate) async fn kill_and_start_again(mut self) -> Process {
        self.child.kill().await.unwrap();
        Process::start_in(self.namespace, &[]).await
    }

    /// Ends the program and removes its jobs.
    pub(crate) async fn remove_jobs(mut self) {
        self.child.kill().await.unwrap();
        self.store().remove_namespace().await.unwrap();
    }

    /// The store of the program.
    pub(crate) fn store(&self) -> Store {
        Store::new(&StoreConfig::new(redis_url(), self.namespace.clone())).unwrap()
    }

    /// Returns the URL of a path of the v0 surface.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}/api/v0{path}", self.address)
    }

    /// Makes a call of Redis itself on a key of the program's namespace.
    pub(crate) async fn redis(&self, command: &str, key: &str, arguments: &[&str]) {
        let mut call = Command::new("redis-cli");
        call.args(["-u", &redis_url(), "-e", command, &format!("{{{}}}:{key}", self.namespace)]);
        let output = call.args(arguments).output().await.expect("redis-cli is installed");
        assert!(output.status.success(), "{output:?}");
    }

    /// The most memory that the process has had so far.
    pub(crate) fn peak_memory_mib(&self) -> u64 {
        let id = self.child.id().expect("the process runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

/// Runs the program until its output contains `expected`, or until it exits. Returns its output,
/// and its status if it exited.
pub(crate) async fn output_of(
    flags: &[&str],
    environment: &[(&str, &str)],
    expected: &str,
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
            if String::from_utf8_lossy(&text).contains(expected) {
                return false;
            }
        }
        true
    };
    let Ok(ended) = tokio::time::timeout(TIMEOUT, reading).await else {
        panic!(
            "the output does not contain {expected:?} and the program does not exit: {}",
            String::from_utf8_lossy(&text)
        )
    };
    let status = if ended { Some(child.wait().await.unwrap()) } else { None };
    child.kill().await.unwrap();
    out.read_to_end(&mut text).await.unwrap();
    err.read_to_end(&mut text).await.unwrap();
    (String::from_utf8_lossy(&text).into_owned(), status)
}

/// Runs the program with the shared Redis, calls `act` when it accepts connections, and returns its
/// standard error up to the text `expected`.
pub(crate) async fn output_after(
    flags: &[&str],
    expected: &str,
    act: impl AsyncFnOnce(SocketAddr),
) -> String {
    let address = free_address();
    let mut command = command(address, flags);
    command.env("CAPSTAN_REDIS_URL", redis_url()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    eventually(async || TcpStream::connect(address).await.is_ok(), |connected| *connected).await;
    act(address).await;
    let (mut stderr, mut text) = (child.stderr.take().unwrap(), String::new());
    let reading = async {
        let mut bytes = [0; 4096];
        while !text.contains(expected) {
            let count = stderr.read(&mut bytes).await.unwrap();
            assert!(count > 0, "the program ended");
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    let in_time = tokio::time::timeout(TIMEOUT, reading).await.is_ok();
    assert!(in_time, "the output does not contain {expected:?}: {text}");
    text
}
