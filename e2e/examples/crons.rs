//! A bench of crons: many crons fire each second while schedulers are killed or stopped at random.
//! Afterwards every tick must have one job. Prints how late the jobs were created.
//!
//! Starts a private Redis and RabbitMQ, and release builds of the scheduler and the worker:
//!
//!     cargo build --release --bins
//!     cargo run --release -p capstan-e2e --example crons -- --seconds 300

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;
use devserver::{Process, Run, Servers};
use domain::cron::CronSpec;
use futures_util::future::try_join_all;
use store::{JobFilter, SetCron, Store, StoreConfig};
use tokio::time::sleep;

#[derive(Parser)]
struct Arguments {
    /// The number of crons that fire each second
    #[arg(long, default_value_t = 1000)]
    crons: usize,
    /// The number of crons that fire once a year, which must cost nothing
    #[arg(long, default_value_t = 0)]
    idle: usize,
    /// How long the crons fire
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// The number of schedulers
    #[arg(long, default_value_t = 5)]
    schedulers: usize,
    /// How often a scheduler is killed or stopped, and started again
    #[arg(long, default_value = "5s", value_parser = domain::settings::duration)]
    every: Duration,
    /// Kill Redis in the middle and start it again
    #[arg(long)]
    restart_redis: bool,
    /// The number of workers
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// The folder of the service programs
    #[arg(long, default_value = "target/release")]
    programs: PathBuf,
}

const NAMESPACE: &str = "capstan";
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long Redis is down.
const OUTAGE: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let run = Run::temporary()?;
    let mut servers = Servers::new(&run).await?;
    servers.start().await?;
    let store = Store::new(&StoreConfig::new(&servers.redis.url, NAMESPACE))?;
    let start = |program: &str, index: usize| {
        let mut command = run.command(arguments.programs.join(program));
        command.env("CAPSTAN_REDIS_URL", &servers.redis.url);
        command.env("CAPSTAN_AMQP_URL", &servers.rabbitmq.url);
        command.env("CAPSTAN_ADMIN_LISTEN", "").env("CAPSTAN_LOG", "error");
        if program == "capstan-worker" {
            command.env("CAPSTAN_CAPACITY", "default=256");
        }
        let name = format!("{program}-{index}");
        let mut process = Process::new(&name, command, run.log(&name));
        process.spawn()?;
        anyhow::Ok(process)
    };
    let start_all = |program, count| {
        (0..count).map(|index| start(program, index)).collect::<anyhow::Result<Vec<_>>>()
    };
    let mut schedulers = start_all("capstan-scheduler", arguments.schedulers)?;
    let _workers = start_all("capstan-worker", arguments.workers)?;
    set_crons(&store, "yearly", "0 0 0 1 1 *", arguments.idle).await?;
    set_crons(&store, "every-second", "* * * * * *", arguments.crons).await?;
    println!("{} crons fire each second, {} once a year", arguments.crons, arguments.idle);

    let redis = &mut servers.redis.process;
    let before = cpu_seconds(redis.id());
    let (began, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let mut restart_redis = arguments.restart_redis;
    let (mut killed, mut stopped) = (0, 0);
    while began.elapsed() < length {
        sleep(arguments.every.min(length.saturating_sub(began.elapsed()))).await;
        let victim = &mut schedulers[rand::random_range(0..arguments.schedulers)];
        if rand::random() {
            killed += 1;
            victim.kill();
        } else {
            stopped += 1;
            victim.stop(STOP_LIMIT).await?;
        }
        victim.spawn()?;
        if restart_redis && began.elapsed() > length / 2 {
            restart_redis = false;
            redis.kill();
            sleep(OUTAGE).await;
            redis.start().await?;
            println!("Redis was killed and down for {OUTAGE:?}");
        }
    }
    until_on_time(&store).await?;
    if let Some((before, after)) = before.zip(cpu_seconds(redis.id())) {
        println!("CPU time of Redis: {:.2} s", after - before);
    }
    println!("schedulers: {killed} killed, {stopped} stopped");
    report(&store, arguments.crons).await
}

/// Sets many crons at once, so that all begin at about the same tick.
async fn set_crons(store: &Store, name: &str, schedule: &str, count: usize) -> anyhow::Result<()> {
    let spec = serde_json::json!({
        "action": "noop", "schedule": schedule, "misfire": "all", "overlap": "allow",
    });
    let spec: CronSpec = serde_json::from_value(spec)?;
    let cron = |index: usize| {
        let (name, spec) = (format!("{name}-{index:06}").parse()?, spec.clone());
        anyhow::Ok(SetCron { name, spec, paused: None, declared: false })
    };
    let crons = (0..count).map(cron).collect::<Result<Vec<_>, _>>()?;
    for chunk in crons.chunks(100) {
        try_join_all(chunk.iter().map(|cron| store.set_cron(cron))).await?;
    }
    Ok(())
}

/// The CPU time of a process, of which the kernel counts 100 ticks per second.
fn cpu_seconds(pid: Option<u32>) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid?)).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Waits until no cron is behind.
async fn until_on_time(store: &Store) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let due = store.due_crons(1).await?;
        let is_on_time = |next: i64| due.now.ms() - next < 1000;
        if due.crons.iter().all(|cron| cron.next_run.is_none_or(|next| is_on_time(next.ms()))) {
            return Ok(());
        }
        ensure!(began.elapsed() < Duration::from_secs(60), "crons are still behind");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn report(store: &Store, crons: usize) -> anyhow::Result<()> {
    let (mut ticks, mut late_ms) = (HashMap::<String, Vec<i64>>::new(), Vec::new());
    let (mut offset, mut early, mut shifted) = (0, 0, 0);
    loop {
        let page = store.jobs(&JobFilter::default(), offset, 1000).await?;
        offset += page.jobs.len();
        if page.jobs.is_empty() {
            break;
        }
        for job in page.jobs.into_iter().filter(|job| job.retry_from == job.id) {
            let Some(firing) = job.spec.cron else { continue };
            early += u32::from(job.created_at < firing.tick);
            shifted += u32::from(job.scheduled_at != firing.tick);
            late_ms.push(job.created_at.ms() - firing.tick.ms());
            ticks.entry(firing.cron.to_string()).or_default().push(firing.tick.ms() / 1000);
        }
    }
    let (mut due, mut doubled) = (0, 0);
    for seconds in ticks.values_mut() {
        let created = seconds.len();
        seconds.sort_unstable();
        seconds.dedup();
        doubled += created - seconds.len();
        let (first, last) = (seconds.first().copied(), seconds.last().copied());
        due += last.unwrap_or(0) - first.unwrap_or(1) + 1;
    }
    late_ms.sort_unstable();
    let at = |share: f64| late_ms.get(((late_ms.len() as f64 - 1.0) * share) as usize).copied();
    let (created, missed) = (late_ms.len(), due - (late_ms.len() - doubled) as i64);
    println!("{} crons, {due} ticks due, {created} jobs created", ticks.len());
    println!(
        "{missed} missed, {doubled} doubled, {early} early, {shifted} with another scheduledAt"
    );
    println!("late by: p50 {:?} ms, p99 {:?} ms, max {:?} ms", at(0.5), at(0.99), at(1.0));
    ensure!(ticks.len() == crons && missed == 0 && doubled == 0 && early == 0 && shifted == 0);
    Ok(())
}
