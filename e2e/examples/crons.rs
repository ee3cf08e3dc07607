//! The long run of crons: many crons that fire each second, schedulers that are killed and stopped at random, and a
//! Redis that is restarted in the middle if that is wanted. Afterwards the store is asked which ticks have a job.
//!
//! Needs release builds of the scheduler and the worker, `redis-server`, and a RabbitMQ:
//!
//!     cargo build --release --bins
//!     cargo run --release -p capstan-e2e --example crons -- --seconds 300 --amqp-url amqp://…

#![expect(clippy::print_stdout, reason = "its report is what it is for")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use broker::Broker;
use clap::Parser;
use domain::cron::CronSpec;
use futures_util::future::try_join_all;
use service::settings::BrokerSettings;
use store::StoreConfig;
use store::{Filter, SetCron, Store};
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// What it is told.
#[derive(Parser)]
struct Arguments {
    /// Crons, each of which fires each second
    #[arg(long, default_value_t = 1000)]
    crons: usize,
    /// Crons beside them that fire once a year: what is not due must cost nothing
    #[arg(long, default_value_t = 0)]
    idle: usize,
    /// How long they fire
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Schedulers at once
    #[arg(long, default_value_t = 5)]
    schedulers: usize,
    /// One of them is killed or stopped, and another one started, so often
    #[arg(long, default_value = "5s", value_parser = domain::settings::duration)]
    every: Duration,
    /// Redis is killed in the middle and started again
    #[arg(long)]
    restart_redis: bool,
    /// Workers that run the jobs, which do nothing
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Where the programs are
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
    /// The port of the Redis that is started
    #[arg(long, default_value_t = 27399)]
    port: u16,
    #[command(flatten)]
    broker: BrokerSettings,
}

/// One run, and what it has done to the schedulers.
struct Run {
    arguments: Arguments,
    folder: PathBuf,
    store: StoreConfig,
    killed: u32,
    stopped: u32,
}

impl Run {
    fn redis(&self) -> anyhow::Result<Child> {
        let port = self.arguments.port.to_string();
        let durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port]).args(durable);
        command.args(["--maxmemory-policy", "noeviction", "--dir"]).arg(&self.folder);
        command.stdout(Stdio::null()).kill_on_drop(true);
        command.spawn().context("cannot start redis-server")
    }

    fn start(&self, program: &str, more: &[&str]) -> anyhow::Result<Child> {
        let mut command = Command::new(self.arguments.programs.join(program));
        command.arg(format!("--redis-url={}", self.store.redis_url));
        command.arg(format!("--amqp-url={}", self.arguments.broker.amqp_url));
        command.arg(format!("--namespace={}", self.store.namespace)).args(more);
        command.arg("--log=error").kill_on_drop(true);
        command.spawn().with_context(|| format!("cannot start {program}"))
    }

    /// Ends one scheduler, by force or by asking, and starts another.
    async fn exchange(&mut self, schedulers: &mut [Child]) -> anyhow::Result<()> {
        let dice = uuid::Uuid::new_v4().as_u64_pair().0;
        let victim = &mut schedulers[dice as usize % self.arguments.schedulers];
        if dice & (1 << 40) == 0 {
            self.killed += 1;
            victim.kill().await?;
        } else {
            self.stopped += 1;
            let pid = victim.id().context("it has ended by itself")?;
            Command::new("kill").arg(pid.to_string()).status().await?;
            victim.wait().await?;
        }
        *victim = self.start("capstan-scheduler", &[])?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let id = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    let folder = std::env::temp_dir().join(format!("capstan-crons-{id}"));
    std::fs::create_dir(&folder)?;
    let redis_url = format!("redis://127.0.0.1:{}", arguments.port);
    let store = StoreConfig::new(redis_url, format!("crons-{id}"));
    let mut run = Run { arguments, folder, store, killed: 0, stopped: 0 };
    let outcome = play(&mut run).await;
    std::fs::remove_dir_all(&run.folder)?;
    outcome
}

async fn play(run: &mut Run) -> anyhow::Result<()> {
    let mut redis = run.redis()?;
    let store = Store::new(&run.store)?;
    until(async || store.ping().await.is_ok()).await?;
    let mut schedulers = Vec::new();
    for _ in 0..run.arguments.schedulers {
        schedulers.push(run.start("capstan-scheduler", &[])?);
    }
    let worker = |_| run.start("capstan-worker", &["--capacity=default=256"]);
    let workers = (0..run.arguments.workers).map(worker).collect::<anyhow::Result<Vec<_>>>()?;
    set(&store, "yearly", "0 0 0 1 1 *", run.arguments.idle).await?;
    set(&store, "every-second", "* * * * * *", run.arguments.crons).await?;
    println!("{} crons are set, and {} idle ones", run.arguments.crons, run.arguments.idle);
    let before = cpu_seconds(redis.id()).zip(cpu_seconds(schedulers[0].id()));

    let (began, length) = (Instant::now(), Duration::from_secs(run.arguments.seconds));
    let mut restart = run.arguments.restart_redis;
    while began.elapsed() < length {
        sleep(run.arguments.every.min(length.saturating_sub(began.elapsed()))).await;
        run.exchange(&mut schedulers).await?;
        if restart && began.elapsed() > length / 2 {
            restart = false;
            let away = Instant::now();
            redis.kill().await?;
            sleep(Duration::from_secs(3)).await;
            redis = run.redis()?;
            until(async || store.ping().await.is_ok()).await?;
            println!("redis was killed, and away for {:.1} s", away.elapsed().as_secs_f64());
        }
    }
    until(async || is_on_time(&store).await).await?;
    let after = cpu_seconds(redis.id()).zip(cpu_seconds(schedulers[0].id()));
    if let Some(((redis_before, before), (redis_after, after))) = before.zip(after) {
        let (redis, one) = (redis_after - redis_before, after - before);
        println!(
            "processor: redis {redis:.2} s, the first scheduler {one:.2} s (if none was exchanged)"
        );
    }
    for scheduler in &mut schedulers {
        scheduler.kill().await?;
    }
    println!("schedulers: {} killed, {} stopped", run.killed, run.stopped);
    let reported = report(&store, run.arguments.crons).await;
    drop(workers);
    let broker =
        Broker::connect(&run.arguments.broker.load()?, &run.store.namespace, "crons").await?;
    for queue in store.queue_names().await? {
        broker.delete(&queue).await?;
    }
    broker.close().await;
    redis.kill().await?;
    reported
}

/// Sets them, many at once, so that all begin at about the same tick.
async fn set(store: &Store, name: &str, schedule: &str, crons: usize) -> anyhow::Result<()> {
    let spec = serde_json::json!({
        "action": "noop", "schedule": schedule, "misfire": "all", "overlap": "allow",
    });
    let spec: CronSpec = serde_json::from_value(spec)?;
    let wanted = |index: usize| {
        let (name, spec) = (format!("{name}-{index:06}").parse()?, spec.clone());
        Ok::<_, anyhow::Error>(SetCron { name, spec, paused: None, declared: false })
    };
    let all = (0..crons).map(wanted).collect::<Result<Vec<_>, _>>()?;
    for some in all.chunks(100) {
        try_join_all(some.iter().map(|cron| store.set_cron(cron))).await?;
    }
    Ok(())
}

/// What a process has used of the processors so far, of a hundred ticks a second.
fn cpu_seconds(pid: Option<u32>) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid?)).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// No cron is behind its time.
async fn is_on_time(store: &Store) -> bool {
    let Ok(due) = store.due_crons(1).await else { return false };
    due.crons.iter().all(|cron| cron.next_run.is_none_or(|next| due.now.ms() - next.ms() < 1000))
}

async fn report(store: &Store, crons: usize) -> anyhow::Result<()> {
    let (mut ticks, mut late) = (HashMap::<String, Vec<i64>>::new(), Vec::new());
    let (mut start, mut early, mut shifted) = (0, 0, 0);
    loop {
        let page = store.jobs(&Filter::default(), start, 1000).await?;
        start += page.jobs.len();
        if page.jobs.is_empty() {
            break;
        }
        for job in page.jobs.into_iter().filter(|job| job.retry_from == job.id) {
            let Some(firing) = job.spec.cron else { continue };
            early += u32::from(job.created_at < firing.tick);
            shifted += u32::from(job.scheduled_at != firing.tick);
            late.push(job.created_at.ms() - firing.tick.ms());
            ticks.entry(firing.cron.to_string()).or_default().push(firing.tick.ms() / 1000);
        }
    }
    let (mut due, mut doubled) = (0, 0);
    for seconds in ticks.values_mut() {
        let made = seconds.len();
        seconds.sort_unstable();
        seconds.dedup();
        doubled += made - seconds.len();
        let (first, last) = (seconds.first().copied(), seconds.last().copied());
        due += last.unwrap_or(0) - first.unwrap_or(1) + 1;
    }
    late.sort_unstable();
    let at = |share: f64| late.get(((late.len() as f64 - 1.0) * share) as usize).copied();
    let (made, missed) = (late.len(), due - (late.len() - doubled) as i64);
    println!("crons {}, ticks due {due}, jobs made {made}", ticks.len());
    println!("missed {missed}, doubled {doubled}, early {early}, another scheduledAt {shifted}");
    println!("late: p50 {:?} ms, p99 {:?} ms, max {:?} ms", at(0.5), at(0.99), at(1.0));
    let counts = store.counts().await?;
    let counts: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
    println!("jobs: {counts:?}");
    ensure!(ticks.len() == crons && missed == 0 && doubled == 0 && early == 0 && shifted == 0);
    Ok(())
}

async fn until(mut condition: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !condition().await {
        ensure!(began.elapsed() < Duration::from_secs(60), "it does not come true");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
