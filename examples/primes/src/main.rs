//! A complete worker with one action, `primes`, which counts the primes below a number.
//! Start it with `cargo run -p capstan-example-primes`, then
//! `capstan jobs submit primes -p below:=5000000 --wait`.
use serde::{Deserialize, Serialize};
use worker::{Config, Context, Progress, Worker};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    below: u64,
}

#[derive(Serialize)]
struct Found {
    primes: u64,
}

/// Keeps a processor busy without a pause. Other jobs continue, because each has a separate thread.
async fn primes(asked: Asked, context: Context) -> anyhow::Result<Found> {
    let mut primes = 0;
    for number in 2..asked.below {
        if number % 10_000 == 0 {
            anyhow::ensure!(context.stop_reason().is_none(), "stopped at {number}");
            context.progress(Progress::percent(100.0 * number as f64 / asked.below as f64))?;
        }
        let mut divisors = 2..=number.isqrt();
        primes += u64::from(!divisors.any(|divisor| number % divisor == 0));
    }
    context.log(format!("there are {primes} primes below {}", asked.below)).await;
    Ok(Found { primes })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Worker::new(Config::from_arguments()).action("primes", primes).run().await
}
