//! Lists of a million jobs: fills a Redis of its own, asks an API for pages by every kind of filter, and prints how
//! long they take and the slowest command that Redis has seen meanwhile.
//!
//! Needs a release build of the API, and `redis-server`:
//!
//!     cargo build --release -p capstan-api
//!     cargo run --release -p capstan-e2e --example lists -- --jobs 1000000

#![expect(clippy::print_stdout, reason = "its report is what it is for")]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use domain::capacity::{CapacityMap, Class};
use domain::job::{Cancelled, Exception, JobId, NewJob, Outcome, Spec, Timestamp, Token, WorkerId};
use futures_util::future::try_join_all;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use store::StoreConfig;
use store::{Beat, ClaimAnswer, ClaimRequest, Claims, Finish, Store};
use tokio::process::{Child, Command};

/// What it is told.
#[derive(Parser)]
struct Arguments {
    /// How many jobs there are
    #[arg(long, default_value_t = 1_000_000)]
    jobs: u64,
    /// How many pages of each kind are asked for
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// Where the programs are
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
    /// The port of the Redis that is started; the API has the next one
    #[arg(long, default_value_t = 27411)]
    port: u16,
}

/// Jobs that one step makes: a second apart, 96 of them run, a few fail, one is cancelled, some wait.
const STEP: u64 = 100;
const WRITERS: u64 = 4;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let _redis = redis(arguments.port)?;
    let redis_url = format!("redis://127.0.0.1:{}", arguments.port);
    let store = StoreConfig::new(redis_url, "lists");
    wait_for(&store).await?;
    let begin = Instant::now();
    let writers = (0..WRITERS).map(|part| fill(&store, part, arguments.jobs));
    let workers = try_join_all(writers).await?;
    println!("{} jobs in {:.0?}", arguments.jobs, begin.elapsed());
    let memory = Store::new(&store)?.used_memory_bytes().await?;
    println!("redis has {} bytes for each", memory / arguments.jobs);

    let api = format!("127.0.0.1:{}", arguments.port + 1);
    let mut command = Command::new(arguments.programs.join("capstan-api"));
    command.arg(format!("--redis-url={}", store.redis_url)).arg("--namespace=lists");
    command.arg(format!("--listen={api}")).args(["--admin-listen=", "--log=error"]);
    let _api = command.kill_on_drop(true).spawn().context("cannot start capstan-api")?;
    redis_cli(arguments.port, &["config", "set", "slowlog-log-slower-than", "1000"]).await?;
    redis_cli(arguments.port, &["slowlog", "reset"]).await?;
    measure(&arguments, &format!("http://{api}/api"), &workers[0]).await?;
    println!("\nslowest commands of redis (place, at, microseconds, …):");
    let slow = redis_cli(arguments.port, &["--json", "slowlog", "get", "128"]).await?;
    let mut slow: Vec<serde_json::Value> = serde_json::from_str(&slow)?;
    slow.sort_by_key(|one| std::cmp::Reverse(one[2].as_u64()));
    for one in slow.iter().take(5) {
        let text = one.to_string();
        println!("  {}", text.chars().take(150).collect::<String>());
    }
    Ok(())
}

fn redis(port: u16) -> anyhow::Result<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--slowlog-max-len", "1024"]);
    command.args(["--hash-max-listpack-value", "1024"]);
    command.stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().context("cannot start redis-server")
}

async fn redis_cli(port: u16, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("redis-cli");
    let output = command.args(["-3", "-p", &port.to_string()]).args(arguments).output().await?;
    Ok(String::from_utf8(output.stdout)?)
}

async fn wait_for(store: &StoreConfig) -> anyhow::Result<()> {
    let store = Store::new(store)?;
    let begin = Instant::now();
    while store.ping().await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(10), "redis does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Makes a part of the jobs, with a worker of its own.
async fn fill(config: &StoreConfig, part: u64, jobs: u64) -> anyhow::Result<WorkerId> {
    let store = Store::new(config)?;
    let worker = WorkerId::random();
    let capacity_map: CapacityMap = "default=1000".parse()?;
    let names = ["noop", "sleep", "scan", "sync_devices", "rare"];
    let beat = Beat {
        worker: worker.clone(),
        lease: Duration::from_secs(24 * 3600),
        name: String::new(),
        version: String::new(),
        free: capacity_map.clone(),
        capacity_map,
        actions: names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?,
        running: Vec::new(),
    };
    store.beat(&beat).await?;
    for step in 0..jobs / STEP / WRITERS {
        let first = (step * WRITERS + part) * STEP;
        let new = (first..first + STEP).map(new_job).collect::<anyhow::Result<Vec<_>>>()?;
        store.submit(&new).await?;
        let ids: Vec<JobId> = new.iter().map(|job| job.id).collect();
        store.cancel(&ids[..1], &Cancelled::default()).await?;
        let request = ClaimRequest { max: 96, ids: ids[1..97].to_vec() };
        let claims = store.claim(&worker, &[request]).await?;
        let Claims::Answered(answers) = claims else { bail!("the worker may not claim") };
        let tokens = answers[0].iter().filter_map(|answer| match answer {
            ClaimAnswer::Claimed(claimed) => Some((claimed.id, claimed.token)),
            ClaimAnswer::Gone | ClaimAnswer::Refused(_) | ClaimAnswer::Parked(_) => None,
        });
        // One in a hundred steps leaves a job that runs.
        let left = usize::from(step % 100 == 0);
        let ends: Vec<Finish> = tokens.skip(left).enumerate().map(end).collect();
        store.finish(&ends).await?;
    }
    Ok(worker)
}

fn new_job(at: u64) -> anyhow::Result<NewJob> {
    let action = match at % 1000 {
        500 => "rare",
        0..600 => "noop",
        600..850 => "sleep",
        850..950 => "scan",
        _ => "sync_devices",
    };
    let mut spec = Spec::of(action.parse()?);
    spec.comment = (at % 10 == 3).then(|| format!("night {}", at / 86_400));
    let scheduled_at = Some(Timestamp::from_ms(1_600_000_000_000 + 1000 * at as i64));
    Ok(NewJob { id: JobId::random(), class: Class::of(None)?, scheduled_at, once: false, spec })
}

fn end((at, (id, token)): (usize, (JobId, Token))) -> Finish {
    let outcome = match at % 20 {
        7 => Outcome::Error(Exception::new("ExitCode", "it exited with 1")),
        _ => Outcome::Done(None),
    };
    Finish { id, token, outcome, follow_up: JobId::random(), jitter: 0.0 }
}

/// Asks for pages of every kind; `#` in a query is a page anywhere in the list.
async fn measure(arguments: &Arguments, api: &str, worker: &WorkerId) -> anyhow::Result<()> {
    let queries = [
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
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    for query in queries {
        let query = query.replace("{W}", worker.as_str());
        pages(arguments, api, &query, &mut dice).await?;
    }
    println!("while four others search for a text that is nowhere:");
    let search = || async {
        let url = format!("{api}/v1.0/jobs?filter[comment][contains]=nowhere");
        loop {
            reqwest::get(&url).await?.error_for_status()?;
        }
    };
    let searches: [_; 4] = std::array::from_fn(|_| search());
    tokio::select! {
        failed = try_join_all(searches) => failed.map(|_: Vec<()>| ()),
        done = pages(arguments, api, "v0/jobs?limit=50&start=#", &mut dice) => done,
    }
}

/// Asks for pages of one query.
async fn pages(
    arguments: &Arguments,
    api: &str,
    query: &str,
    dice: &mut ChaCha8Rng,
) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let (mut took, mut total, mut cut) = (Vec::new(), String::new(), "");
    // A walk takes seconds.
    while took.len() < arguments.pages && took.iter().sum::<Duration>().as_secs() < 10 {
        let all = total.parse().unwrap_or(arguments.jobs);
        let most = all / if query.contains("page=#") { 50 } else { 1 };
        let place = if took.is_empty() { 1 } else { dice.random_range(1..most.max(2)) };
        let url = format!("{api}/{}", query.replace('#', &place.to_string()));
        let begin = Instant::now();
        let answer = client.get(&url).send().await?;
        let headers = answer.headers().clone();
        let (status, body) = (answer.status(), answer.bytes().await?);
        took.push(begin.elapsed());
        ensure!(status.is_success(), "{url}: {status} {}", String::from_utf8_lossy(&body));
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        total = header("x-total-count").unwrap_or_default().to_owned();
        cut = if header("x-result-truncated").is_some() { "cut" } else { "" };
    }
    took.sort();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    let last = took[took.len() - 1];
    println!("{query:76} {:>9.1?} {:>9.1?} {last:>9.1?} {total:>8} {cut}", at(50), at(99));
    Ok(())
}
