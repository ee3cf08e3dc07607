//! A complete worker with one action, `primes`, which counts the primes below a number.
//! Start it with `cargo run -p capstan-example-primes`, then
//! `capstan jobs submit primes -p below:=5000000 --wait`.
use serde::{Deserialize, Serialize};
use worker::{Config, Context, Progress, Worker};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    below: u64,
}

#[derive(Serialize)]
struct Count {
    primes: u64,
}

/// Keeps a processor busy without a pause. Other jobs continue, because each has a separate thread.
async fn primes(parameters: Parameters, context: Context) -> anyhow::Result<Count> {
    let mut primes = 0;
    for number in 2..parameters.below {
        if number % 10_000 == 0 {
            anyhow::ensure!(context.stop_reason().is_none(), "stopped at {number}");
            context.progress(Progress::percent(100.0 * number as f64 / parameters.below as f64))?;
        }
        let mut divisors = 2..=number.isqrt();
        primes += u64::from(!divisors.any(|divisor| number % divisor == 0));
    }
    context.log(format!("there are {primes} primes below {}", parameters.below)).await;
    Ok(Count { primes })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Worker::new(Config::from_arguments()).action("primes", primes).run().await
}
