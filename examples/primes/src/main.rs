//! A worker of your own: one action, `primes`, that counts primes below a number and may take long.
//! `cargo run -p capstan-example-primes`, then `capstan jobs submit primes -p below=5000000 --wait`.
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

/// It keeps its processor busy without a pause, which harms nobody: each job has a thread of its own.
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
