//! A bench of fleets in which not every worker knows every action: how long jobs wait for their
//! start, beside a fleet of the same size whose workers know all actions; how far jobs are from
//! their turn; and what the upgrade of a fleet to a new action looks like, second by second. The
//! fleets run in this process; everything is read from the events.
//!
//!     CAPSTAN_TEST_LOG=off CAPSTAN_TEST_REDIS_URL=redis://… CAPSTAN_TEST_AMQP_URL=amqp://… \
//!         cargo run --release -p capstan-e2e --example mixed_fleets -- --fleets 1,3,50

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

mod fleet;
mod latency;
mod order;
mod upgrade;

use std::time::Duration;

use clap::Parser;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use fleet::Sets;

#[derive(Parser)]
struct Arguments {
    /// The seed of the actions of jobs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The numbers of workers
    #[arg(long, value_delimiter = ',', default_value = "1,3,50")]
    fleets: Vec<usize>,
    /// The number of jobs that are submitted one by one
    #[arg(long, default_value_t = 300)]
    singles: usize,
    /// How many of them are submitted per second
    #[arg(long, default_value_t = 30)]
    per_second: u32,
    /// The number of bursts, each of which follows the end of the one before
    #[arg(long, default_value_t = 10)]
    bursts: usize,
    /// The number of jobs in a burst
    #[arg(long, default_value_t = 60)]
    burst: usize,
    /// How often a worker of a changing fleet is replaced, in milliseconds
    #[arg(long, default_value_t = 500)]
    change_ms: u64,
    /// The number of jobs of the batch whose order is measured
    #[arg(long, default_value_t = 400)]
    batch: usize,
    /// The number of jobs behind one lock
    #[arg(long, default_value_t = 100)]
    locked: usize,
    /// Run only the measurements whose name contains this text: latency of one sort of fleet, such
    /// as "latency changing", order, upgrade
    #[arg(long, default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let is_latency = |sets: &Sets| format!("latency {sets}").contains(&arguments.only);
    let sets: Vec<Sets> = Sets::ALL.into_iter().filter(is_latency).collect();
    if !sets.is_empty() {
        measure_latency(&arguments, &sets).await;
    }
    if "order".contains(&arguments.only) {
        measure_order(&arguments).await;
    }
    if "upgrade".contains(&arguments.only) {
        upgrade::measure(arguments.per_second).await;
    }
}

async fn measure_latency(arguments: &Arguments, all_sets: &[Sets]) {
    println!(
        "from the submission of a job to its start, in ms; idle: the longest time that a worker"
    );
    println!("which knows the action of a waiting job had room for it");
    println!(
        "{:>7}  {:12}{:>8}{:>7}{:>7}{:>7}{:>8}{:>7}{:>7}{:>7}{:>7}",
        "workers", "actions", "single", "p50", "p99", "max", "bursts", "p50", "p99", "max", "idle"
    );
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    for workers in &arguments.fleets {
        for sets in all_sets {
            let load = latency::Load {
                singles: arguments.singles,
                period: Duration::from_secs(1) / arguments.per_second.max(1),
                bursts: arguments.bursts,
                burst: arguments.burst,
                change_period: Duration::from_millis(arguments.change_ms),
            };
            latency::measure(*workers, *sets, &load, &mut rng).await;
        }
    }
}

async fn measure_order(arguments: &Arguments) {
    println!("how many places a job started before or after its turn");
    println!("{:52}{:>6}{:>6}{:>6}{:>6}", "", "jobs", "p50", "p99", "max");
    for workers in &arguments.fleets {
        order::measure_batch(*workers, workers.div_ceil(2), arguments.batch).await;
        if *workers > 1 {
            order::measure_batch(*workers, *workers, arguments.batch).await;
        }
        order::measure_lock(*workers, arguments.locked).await;
    }
}
