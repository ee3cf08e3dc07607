//! A bench of lists and pages: fills a private Redis with jobs, requests pages with every kind of
//! filter and the pages of the web page from an API, and prints how long they take, the slowest
//! commands of Redis, and what open pages cost the API.
//!
//! Needs a release build of the API, and `redis-server`:
//!
//!     cargo build --release -p capstan-api
//!     cargo run --release -p capstan-e2e --example lists -- --jobs 1000000

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

mod fill;
mod open_pages;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use devserver::{Probe, Process, Redis, Run, free_port};
use domain::job::WorkerId;
use futures_util::future::try_join_all;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use store::{Store, StoreConfig};
use tokio::process::Command;

use fill::{WRITERS, fill};

#[derive(Parser)]
struct Arguments {
    /// The number of jobs
    #[arg(long, default_value_t = 1_000_000)]
    jobs: u64,
    /// The number of pages requested with each filter
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// The number of pages of the web page that are open at once
    #[arg(long, default_value_t = 200)]
    open_pages: usize,
    /// The folder of the service programs
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
}

const NAMESPACE: &str = "capstan";
/// One filter is requested for at most this long: a search through all jobs takes seconds.
const FILTER_LIMIT: Duration = Duration::from_secs(10);

/// The queries. `#` stands for a random page or offset, `{W}` for a worker.
const QUERIES: [&str; 42] = [
    "api/v0/jobs?limit=50&start=#",
    "api/v0/jobs?limit=1000&start=#",
    "api/v0/jobs?limit=50&status=done&start=#",
    "api/v0/jobs?limit=50&status=done,error,cancel&start=#",
    "api/v0/jobs?limit=50&running=false&start=#",
    "api/v0/jobs?limit=50&running=true",
    "api/v0/jobs?limit=50&action=noop&start=#",
    "api/v0/jobs?limit=50&worker={W}&start=#",
    "api/v0/jobs?limit=50&status=done&since=2020-09-15T00:00:00Z&until=2020-09-20T00:00:00Z",
    "api/v0/jobs?limit=50&action=noop&status=running",
    "api/v0/jobs?limit=50&action=rare&status=error",
    "api/v0/jobs?limit=50&action=noop&status=done",
    "api/v0/jobs?limit=50&worker={W}&action=noop",
    "api/v1.0/jobs?page=#",
    "api/v1.0/jobs?sort=-id",
    "api/v1.0/jobs?sort=-scheduled_time&page=#",
    "api/v1.0/jobs?filter[status]=FINISHED&page=#",
    "api/v1.0/jobs?filter[status]=EXCEPTION&page=#",
    "api/v1.0/jobs?filter[status]=RUNNING",
    "api/v1.0/jobs?filter[function_name]=noop&page=#",
    "api/v1.0/jobs?filter[function_name]=rare",
    "api/v1.0/jobs?filter[id]=#",
    "api/v1.0/jobs?filter[status]=RUNNING&filter[function_name]=noop",
    "api/v1.0/jobs?filter[status]=SCHEDULED&filter[comment][contains]=night",
    "api/v1.0/jobs?filter[comment][contains]=night%205",
    "api/v1.0/jobs?sort=-finish_time",
    "api/v0/jobs?limit=50&q=status:error+action:rare",
    "api/v0/jobs?limit=50&q=night",
    "api/v0/jobs?limit=50&q=night+status:error",
    "api/v0/jobs?limit=50&q=param.host:nowhere",
    "",
    "jobs",
    "jobs?start=#",
    "jobs?q=status:error",
    "jobs?q=night",
    "jobs?q=param.host:nowhere",
    "workers",
    "queues",
    "crons",
    "locks",
    "settings",
    "find?q=noop",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let run = Run::temporary()?;
    let mut redis = Redis::new(&run)?;
    redis.process.start().await?;
    // Filling must not wait for the disk.
    redis_cli(&redis, &["config", "set", "appendonly", "no"]).await?;
    redis_cli(&redis, &["config", "set", "slowlog-max-len", "1024"]).await?;
    let config = StoreConfig::new(&redis.url, NAMESPACE);
    let began = Instant::now();
    let writers = (0..WRITERS).map(|part| fill(&config, part, arguments.jobs));
    let workers = try_join_all(writers).await?;
    println!("{} jobs in {:.0?}", arguments.jobs, began.elapsed());
    let memory = Store::new(&config)?.memory_use().await?.used_bytes;
    println!("{} bytes of Redis per job", memory / arguments.jobs);

    let (listen, admin) = (free_port()?, free_port()?);
    let mut command = run.command(arguments.programs.join("capstan-api"));
    command.arg(format!("--redis-url={}", redis.url)).arg("--log=error");
    command.arg(format!("--listen=127.0.0.1:{listen}"));
    command.arg(format!("--admin-listen=127.0.0.1:{admin}")).arg("--event-streams=4096");
    let api = Process::new("api", command, run.log("api"));
    let mut api = api.with_probe(Probe::readyz(admin));
    api.start().await?;
    redis_cli(&redis, &["config", "set", "slowlog-log-slower-than", "1000"]).await?;
    redis_cli(&redis, &["slowlog", "reset"]).await?;
    let url = format!("http://127.0.0.1:{listen}");
    measure(&arguments, &url, &workers[0]).await?;
    print_slow_commands(&redis).await?;
    let pid = api.id().ok_or_else(|| anyhow::anyhow!("the API has ended"))?;
    open_pages::measure(&url, pid, arguments.open_pages).await
}

async fn redis_cli(redis: &Redis, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("redis-cli");
    let output = command.args(["-3", "-u", &redis.url]).args(arguments).output().await?;
    Ok(String::from_utf8(output.stdout)?)
}

async fn print_slow_commands(redis: &Redis) -> anyhow::Result<()> {
    println!("\nslowest commands of Redis (id, time, microseconds, …):");
    let slow = redis_cli(redis, &["--json", "slowlog", "get", "128"]).await?;
    let mut slow: Vec<serde_json::Value> = serde_json::from_str(&slow)?;
    slow.sort_by_key(|entry| std::cmp::Reverse(entry[2].as_u64()));
    for entry in slow.iter().take(5) {
        println!("  {}", entry.to_string().chars().take(150).collect::<String>());
    }
    Ok(())
}

async fn measure(arguments: &Arguments, api: &str, worker: &WorkerId) -> anyhow::Result<()> {
    println!("{:76} {:>9} {:>9} {:>9} {:>8}", "query", "p50", "p99", "max", "total");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for query in QUERIES {
        let query = query.replace("{W}", worker.as_str());
        request_pages(arguments, api, &query, &mut rng).await?;
    }
    println!("while four other clients search for a text that does not exist:");
    let search = || async {
        let url = format!("{api}/api/v1.0/jobs?filter[comment][contains]=nowhere");
        loop {
            reqwest::get(&url).await?.error_for_status()?;
        }
    };
    let searches: [_; 4] = std::array::from_fn(|_| search());
    tokio::select! {
        failed = try_join_all(searches) => failed.map(|_: Vec<()>| ()),
        done = request_pages(arguments, api, "api/v0/jobs?limit=50&start=#", &mut rng) => done,
    }
}

/// Requests random pages of one query and prints how long they took.
async fn request_pages(
    arguments: &Arguments,
    api: &str,
    query: &str,
    rng: &mut ChaCha8Rng,
) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let (mut times, mut total, mut truncated) = (Vec::new(), String::new(), "");
    while times.len() < arguments.pages && times.iter().sum::<Duration>() < FILTER_LIMIT {
        let rows = total.parse().unwrap_or(arguments.jobs);
        let last = rows / if query.contains("page=#") { 50 } else { 1 };
        let page = if times.is_empty() { 1 } else { rng.random_range(1..last.max(2)) };
        let url = format!("{api}/{}", query.replace('#', &page.to_string()));
        let began = Instant::now();
        let answer = client.get(&url).send().await?;
        let headers = answer.headers().clone();
        let (status, body) = (answer.status(), answer.bytes().await?);
        times.push(began.elapsed());
        ensure!(status.is_success(), "{url}: {status} {}", String::from_utf8_lossy(&body));
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        total = header("x-total-count").unwrap_or_default().to_owned();
        truncated = if header("x-result-truncated").is_some() { "truncated" } else { "" };
    }
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let (p50, p99, max) = (at(50), at(99), at(100));
    println!("{query:76} {p50:>9.1?} {p99:>9.1?} {max:>9.1?} {total:>8} {truncated}");
    Ok(())
}
