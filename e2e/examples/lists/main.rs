//! A bench of job lists: fills a private Redis with jobs, requests pages with every kind of filter
//! from an API, and prints how long they take and the slowest commands of Redis.
//!
//! Needs a release build of the API, and `redis-server`:
//!
//!     cargo build --release -p capstan-api
//!     cargo run --release -p capstan-e2e --example lists -- --jobs 1000000

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Parser;
use devserver::{Probe, Process, Redis, Run, free_port};
use domain::capacity::{CapacityMap, Class};
use domain::job::{
    Cancellation, Exception, FencingToken, JobId, JobSpec, NewJob, Outcome, Timestamp, WorkerId,
};
use futures_util::future::try_join_all;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use store::{ClaimAnswer, ClaimRequest, Claims, Finish, Store, StoreConfig};
use testkit::heartbeat;
use tokio::process::Command;

#[derive(Parser)]
struct Arguments {
    /// The number of jobs
    #[arg(long, default_value_t = 1_000_000)]
    jobs: u64,
    /// The number of pages requested with each filter
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// The folder of the service programs
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
}

const NAMESPACE: &str = "capstan";
/// The jobs of one step: 96 run, of which a few fail, one is cancelled, and the others wait.
const STEP: u64 = 100;
const WRITERS: u64 = 4;
/// One filter is requested for at most this long: a search through all jobs takes seconds.
const FILTER_LIMIT: Duration = Duration::from_secs(10);

/// The queries. `#` stands for a random page or offset, `{W}` for a worker.
const QUERIES: [&str; 26] = [
    "v0/jobs?limit=50&start=#",
    "v0/jobs?limit=1000&start=#",
    "v0/jobs?limit=50&status=done&start=#",
    "v0/jobs?limit=50&status=done,error,cancel&start=#",
    "v0/jobs?limit=50&running=false&start=#",
    "v0/jobs?limit=50&running=true",
    "v0/jobs?limit=50&action=noop&start=#",
    "v0/jobs?limit=50&worker={W}&start=#",
    "v0/jobs?limit=50&status=done&since=2020-09-15T00:00:00Z&until=2020-09-20T00:00:00Z",
    "v0/jobs?limit=50&action=noop&status=running",
    "v0/jobs?limit=50&action=rare&status=error",
    "v0/jobs?limit=50&action=noop&status=done",
    "v0/jobs?limit=50&worker={W}&action=noop",
    "v1.0/jobs?page=#",
    "v1.0/jobs?sort=-id",
    "v1.0/jobs?sort=-scheduled_time&page=#",
    "v1.0/jobs?filter[status]=FINISHED&page=#",
    "v1.0/jobs?filter[status]=EXCEPTION&page=#",
    "v1.0/jobs?filter[status]=RUNNING",
    "v1.0/jobs?filter[function_name]=noop&page=#",
    "v1.0/jobs?filter[function_name]=rare",
    "v1.0/jobs?filter[id]=#",
    "v1.0/jobs?filter[status]=RUNNING&filter[function_name]=noop",
    "v1.0/jobs?filter[status]=SCHEDULED&filter[comment][contains]=night",
    "v1.0/jobs?filter[comment][contains]=night%205",
    "v1.0/jobs?sort=-finish_time",
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
    command.arg(format!("--admin-listen=127.0.0.1:{admin}"));
    let api = Process::new("api", command, run.log("api"));
    let mut api = api.with_probe(Probe::readyz(admin));
    api.start().await?;
    redis_cli(&redis, &["config", "set", "slowlog-log-slower-than", "1000"]).await?;
    redis_cli(&redis, &["slowlog", "reset"]).await?;
    measure(&arguments, &format!("http://127.0.0.1:{listen}/api"), &workers[0]).await?;
    print_slow_commands(&redis).await
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

/// Creates every `WRITERS`th step of jobs, and runs them as a worker.
async fn fill(config: &StoreConfig, part: u64, jobs: u64) -> anyhow::Result<WorkerId> {
    let store = Store::new(config)?;
    let worker = WorkerId::random();
    let mut beat = heartbeat(&worker, Duration::from_secs(24 * 3600));
    beat.capacity_map = "default=1000".parse::<CapacityMap>()?;
    beat.free = beat.capacity_map.clone();
    let actions = ["noop", "sleep", "scan", "sync_devices", "rare"];
    beat.actions = actions.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    store.heartbeat(&beat).await?;
    for step in 0..jobs / STEP / WRITERS {
        let first = (step * WRITERS + part) * STEP;
        let new = (first..first + STEP).map(new_job).collect::<anyhow::Result<Vec<_>>>()?;
        store.submit(&new).await?;
        let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
        store.cancel(&ids[..1], &Cancellation::default()).await?;
        let request = ClaimRequest { max: 96, ids: ids[1..97].to_vec() };
        let claims = store.claim(&worker, &[request]).await?;
        let Claims::Answered(answers) = claims else { bail!("the worker may not claim") };
        let tokens = answers[0].iter().filter_map(|answer| match answer {
            ClaimAnswer::Claimed(claimed) => Some((claimed.id, claimed.token)),
            ClaimAnswer::Gone
            | ClaimAnswer::Refused(_)
            | ClaimAnswer::Parked(_)
            | ClaimAnswer::Unreadable(..)
            | ClaimAnswer::Failed(_) => None,
        });
        // One job of every hundredth step keeps running.
        let still_running = usize::from(step % 100 == 0);
        let ends: Vec<Finish> = tokens.skip(still_running).enumerate().map(end).collect();
        store.finish(&ends).await?;
    }
    Ok(worker)
}

fn new_job(index: u64) -> anyhow::Result<NewJob> {
    let action = match index % 1000 {
        500 => "rare",
        0..600 => "noop",
        600..850 => "sleep",
        850..950 => "scan",
        _ => "sync_devices",
    };
    let mut spec = JobSpec::of(action.parse()?);
    spec.comment = (index % 10 == 3).then(|| format!("night {}", index / 86_400));
    let scheduled_at = Some(Timestamp::from_ms(1_600_000_000_000 + 1000 * index as i64));
    Ok(NewJob {
        id: JobId::random(),
        class: Class::of(None)?,
        scheduled_at,
        reserve_id: false,
        request_hash: None,
        spec,
    })
}

fn end((index, (id, token)): (usize, (JobId, FencingToken))) -> Finish {
    let outcome = match index % 20 {
        7 => Outcome::Error(Exception::new("ExitCode", "exit status 1")),
        _ => Outcome::Done(None),
    };
    Finish { id, token, outcome, follow_up: JobId::random(), jitter: 0.0 }
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
        let url = format!("{api}/v1.0/jobs?filter[comment][contains]=nowhere");
        loop {
            reqwest::get(&url).await?.error_for_status()?;
        }
    };
    let searches: [_; 4] = std::array::from_fn(|_| search());
    tokio::select! {
        failed = try_join_all(searches) => failed.map(|_: Vec<()>| ()),
        done = request_pages(arguments, api, "v0/jobs?limit=50&start=#", &mut rng) => done,
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
