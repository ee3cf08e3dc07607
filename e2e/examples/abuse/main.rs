//! A bench of the API under attack: runs one attack after the other over thousands of connections
//! while a well-behaved client lists jobs. Prints the latency of that client, on a persistent
//! connection and on new ones, and the memory and open files of the API before, during and after.
//!
//! Needs a release build of the API, and `redis-server`:
//!
//!     cargo build --release -p capstan-api
//!     cargo run --release -p capstan-e2e --example abuse -- --seconds 15

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

mod attacks;
mod client;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;

use attacks::{ATTACKS, Attack};
use client::WellBehavedClient;
use target::Target;

#[derive(Parser)]
struct Arguments {
    /// The duration of each attack
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// The number of connections of large attacks
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Run only the attacks whose name starts with this text
    #[arg(long, default_value = "")]
    only: String,
    /// The folder of the service programs
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
}

/// How long the API may take to close the connections of an attack.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (_, hard_limit) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Both ends of every connection are on this machine. Root may raise the hard limit.
    let wanted = hard_limit.max(4 * arguments.connections as u64);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted)
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard_limit, hard_limit))?;
    let target = Target::start(&arguments.programs).await?;
    println!(
        "{:18} {:>6} {:>22} {:>22} {:>6} {:>14} {:>14} {:>7}",
        "attack",
        "conns",
        "persistent p50/p99/max",
        "new p50/p99/max",
        "failed",
        "MiB",
        "files",
        "closed"
    );
    for attack in ATTACKS.iter().filter(|attack| attack.name.starts_with(&arguments.only)) {
        run(attack, &target, &arguments).await?;
    }
    Ok(())
}

/// Runs one attack and prints the measurements.
async fn run(attack: &Attack, target: &Target, arguments: &Arguments) -> anyhow::Result<()> {
    let count = attack.connections.unwrap_or(arguments.connections);
    let (memory, files) = (target.memory_mib()?, target.open_files()?);
    target.reset_peak_memory()?;
    let mut attackers = JoinSet::new();
    for index in 0..count {
        attackers.spawn(attack.repeat(target.clone(), index));
    }
    let mut client = WellBehavedClient::default();
    let (began, mut most_files) = (Instant::now(), files);
    while began.elapsed().as_secs() < arguments.seconds {
        client.list_jobs(target).await;
        most_files = most_files.max(target.open_files()?);
    }
    attackers.shutdown().await;
    let peak = target.peak_memory_mib()?;
    let ended = Instant::now();
    // A few connections to Redis open and close with the load.
    while target.open_files()? > files + 4 && ended.elapsed() < CLOSED_WITHIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "{:18} {count:>6} {:>22} {:>22} {:>6} {:>14} {:>14} {:>6.1}s",
        attack.name,
        client.persistent.to_string(),
        client.new.to_string(),
        client.failed,
        format!("{memory} {peak} {}", target.memory_mib()?),
        format!("{files} {most_files} {}", target.open_files()?),
        ended.elapsed().as_secs_f64(),
    );
    Ok(())
}
