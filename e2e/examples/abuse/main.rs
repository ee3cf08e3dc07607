//! What an API bears: one attack after the other by thousands of connections from many addresses, while somebody who
//! behaves asks for jobs from another one. Prints how long that takes, on a connection that is kept and on new ones, and
//! the memory and descriptors of the API before, at the worst, and after.
//!
//! Needs a build of the API, and `redis-server`:
//!
//!     cargo build --release -p capstan-api
//!     cargo run --release -p capstan-e2e --example abuse -- --seconds 15

#![expect(clippy::print_stdout, reason = "its report is what it is for")]

mod attacks;
mod client;
mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;

use attacks::{ATTACKS, Attack};
use client::Behaved;
use target::Target;

/// What it is told.
#[derive(Parser)]
struct Arguments {
    /// How long each attack goes on
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// How many connections the large ones have
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Only those whose names begin so
    #[arg(long, default_value = "")]
    only: String,
    /// Where the programs are
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
    /// The port of the Redis that is started; the API has the next one
    #[arg(long, default_value_t = 27421)]
    port: u16,
}

/// So long a peer may do nothing until it is given up, and some more.
const SETTLED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // As root the limit itself can be raised: both sides of all connections are on this machine.
    let wanted = most.max(4 * arguments.connections as u64);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted)
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, most, most))?;
    let target = Target::start(&arguments.programs, arguments.port).await?;
    println!(
        "{:18} {:>6} {:>20} {:>20} {:>6} {:>16} {:>16} {:>6}",
        "attack", "conns", "kept p50/p99/max", "new p50/p99/max", "failed", "MiB", "files", "freed"
    );
    for attack in ATTACKS.iter().filter(|attack| attack.name.starts_with(&arguments.only)) {
        under(attack, &target, &arguments).await?;
    }
    Ok(())
}

/// Attacks for a while, and prints what came of it.
async fn under(attack: &Attack, target: &Target, arguments: &Arguments) -> anyhow::Result<()> {
    let count = attack.connections.unwrap_or(arguments.connections);
    let (memory, files) = (target.resident_mib()?, target.files()?);
    target.forget_worst()?;
    let mut attacking = JoinSet::new();
    for at in 0..count {
        attacking.spawn(attack.go_on(target.clone(), at));
    }
    let mut behaved = Behaved::default();
    let (begin, mut most_files) = (Instant::now(), files);
    while begin.elapsed().as_secs() < arguments.seconds {
        behaved.ask(target).await;
        most_files = most_files.max(target.files()?);
    }
    attacking.shutdown().await;
    let worst = target.worst_mib()?;
    let ended = Instant::now();
    // Redis' connections come and go with the load; what was there before is not of the attack.
    while target.files()? > files + 4 && ended.elapsed() < SETTLED {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "{:18} {count:>6} {:>20} {:>20} {:>6} {:>16} {:>16} {:>5.1}s",
        attack.name,
        behaved.kept.to_string(),
        behaved.new.to_string(),
        behaved.failed,
        format!("{memory} {worst} {}", target.resident_mib()?),
        format!("{files} {most_files} {}", target.files()?),
        ended.elapsed().as_secs_f64(),
    );
    Ok(())
}
