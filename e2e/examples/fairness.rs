//! A bench of fairness on a busy fleet: how many normal jobs start before a high one, how many
//! small jobs before a large one, how long each waits, and how long workers are idle although a job
//! that fits is ready. The fleet runs in this process; everything is read from the events.
//!
//!     CAPSTAN_TEST_REDIS_URL=redis://… CAPSTAN_TEST_AMQP_URL=amqp://… \
//!         cargo run --release -p capstan-e2e --example fairness -- --seed 1

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

use std::ops::Range;
use std::time::Duration;

use clap::Parser;
use domain::job::{NewJob, Priority};
use e2e::{JobTimes, StartServices, Timeline};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use testkit::{Service, TestEnv, job, shared_queue, with_parameters};
use tokio::time::sleep;

/// How long a worker keeps an offer that does not fit, by default.
const HOLD_MS: i64 = 250;
const JOINS: usize = 20;

#[derive(Parser)]
struct Arguments {
    /// The seed of the durations and capacities
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run only the scenarios whose name contains this text
    #[arg(long, default_value = "")]
    only: String,
}

/// A fleet with a backlog, and the jobs that are submitted while it runs.
struct Scenario {
    name: &'static str,
    workers: Vec<String>,
    backlog: Vec<NewJob>,
    arrivals: Vec<NewJob>,
    arrival_period: Duration,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    println!("{:<44}{:>8}{:>8}{:>8}", "", "p50", "p99", "max");
    for scenario in scenarios(&mut rng) {
        if scenario.name.contains(&arguments.only) {
            measure(scenario).await;
        }
    }
    if "a worker joins".contains(&arguments.only) {
        println!("a worker joins, for a job that fits no other");
        let mut waits_ms = Vec::new();
        for _ in 0..JOINS {
            waits_ms.push(start_after_join_ms().await);
        }
        print_row("  from its registration to the start, ms", waits_ms);
    }
}

/// Returns how long after the registration of a worker the job starts that waited for it.
async fn start_after_join_ms() -> i64 {
    let env = TestEnv::new().await;
    let mut services = vec![env.scheduler(), env.worker("cpu=1")];
    let large = job("noop", "cpu=8");
    env.store().submit(std::slice::from_ref(&large)).await.expect("Redis answers");
    let (broker, queue) = (env.broker().await, shared_queue(&large));
    let is_offered = async || broker.depth(&queue).await.ok().flatten() == Some(1);
    env.eventually("the job is offered", is_offered).await;
    broker.close().await;
    services.push(env.worker("cpu=8"));
    let record = env.finished(large.id).await;
    let workers = env.store().workers().await.expect("Redis answers");
    let worker = workers.iter().find(|worker| Some(&worker.id) == record.worker.as_ref());
    let joined = worker.expect("its worker has a record").started_at;
    stop(env, services).await;
    record.started_at.expect("it has started").ms() - joined.ms()
}

async fn stop(env: TestEnv, services: Vec<Service>) {
    for service in services {
        service.stop().await;
    }
    env.close().await;
}

fn scenarios(rng: &mut ChaCha8Rng) -> Vec<Scenario> {
    use Priority::{High, Low, Normal};
    let four = |capacity: &str| vec![capacity.to_owned(); 4];
    let scenario = |name, workers, backlog, arrivals, period_ms| {
        let arrival_period = Duration::from_millis(period_ms);
        Scenario { name, workers, backlog, arrivals, arrival_period }
    };
    let types = [("a=1,b=1", 300), ("a=2", 200), ("b=2", 200), ("a=1", 200), ("b=1", 200)];
    vec![
        scenario(
            "high among short normal jobs",
            four("scan=2"),
            sleeps(rng, 1500, "scan=1", Normal, 20..60),
            sleeps(rng, 25, "scan=1", High, 20..60),
            250,
        ),
        scenario(
            "high among long normal jobs",
            four("scan=2"),
            sleeps(rng, 200, "scan=1", Normal, 300..900),
            sleeps(rng, 25, "scan=1", High, 300..900),
            500,
        ),
        scenario(
            "low among high jobs",
            four("scan=2"),
            sleeps(rng, 1500, "scan=1", High, 10..40),
            sleeps(rng, 40, "scan=1", Low, 10..40),
            0,
        ),
        scenario(
            "large among small jobs",
            four("cpu=4"),
            sleeps(rng, 2400, "cpu=1", Normal, 5..60),
            sleeps(rng, 8, "cpu=4", Normal, 20..60),
            600,
        ),
        scenario(
            "two types among one",
            vec!["a=2,b=2".to_owned(); 2],
            types
                .iter()
                .flat_map(|(need, count)| sleeps(rng, *count, need, Normal, 5..40))
                .collect(),
            Vec::new(),
            0,
        ),
        mixed(rng),
    ]
}

fn mixed(rng: &mut ChaCha8Rng) -> Scenario {
    let needs = ["cpu=1", "cpu=2", "cpu=4", "scan=1", "cpu=1,scan=1", "gpu=1", "cpu=2,gpu=1", ""];
    let priorities = [Priority::High, Priority::Normal, Priority::Normal, Priority::Low];
    let arrivals = (0..2000).flat_map(|_| {
        let (need, priority) = (needs[rng.random_range(0..8)], priorities[rng.random_range(0..4)]);
        sleeps(rng, 1, need, priority, 5..200)
    });
    let arrivals = arrivals.collect();
    let workers = ["cpu=4,scan=2", "cpu=8,gpu=1", "cpu=4,gpu=2,scan=1", "scan=4", "cpu=6,gpu=1"];
    let workers = workers.map(|map| format!("{map},default=4")).to_vec();
    let arrival_period = Duration::from_millis(12);
    Scenario { name: "mixed", workers, backlog: Vec::new(), arrivals, arrival_period }
}

/// Jobs that sleep for a random time.
fn sleeps(
    rng: &mut ChaCha8Rng,
    count: usize,
    need: &str,
    priority: Priority,
    ms: Range<u32>,
) -> Vec<NewJob> {
    let sleep = |_| {
        let seconds = f64::from(rng.random_range(ms.clone())) / 1000.0;
        let mut new = with_parameters(job("sleep", need), &json!({"seconds": seconds}));
        new.spec.priority = priority;
        new
    };
    (0..count).map(sleep).collect()
}

async fn measure(scenario: Scenario) {
    let env = TestEnv::new().await;
    let mut services = vec![env.scheduler()];
    services.extend(scenario.workers.iter().map(|map| env.worker(map)));
    let count = scenario.workers.len();
    let registered = async || env.store().workers().await.is_ok_and(|all| all.len() == count);
    env.eventually("the workers are registered", registered).await;
    for chunk in scenario.backlog.chunks(100) {
        env.store().submit(chunk).await.expect("Redis answers");
    }
    for new in &scenario.arrivals {
        sleep(scenario.arrival_period).await;
        env.store().submit(std::slice::from_ref(new)).await.expect("Redis answers");
    }
    let all: Vec<NewJob> = scenario.backlog.iter().chain(&scenario.arrivals).cloned().collect();
    env.until_done(all.len() as u64).await;
    report(&scenario, &Timeline::of(env.store(), &all).await);
    stop(env, services).await;
}

fn report(scenario: &Scenario, timeline: &Timeline) {
    println!("{} ({} jobs)", scenario.name, timeline.jobs.len());
    let arrivals = timeline.jobs.iter().filter(|job| is_arrival(scenario, job));
    let arrivals: Vec<&JobTimes> = arrivals.collect();
    if !scenario.backlog.is_empty() && !arrivals.is_empty() {
        let overtaken = arrivals.iter().map(|job| {
            let earlier = timeline.started_before(job).filter(|other| other.queue != job.queue);
            earlier.count() as i64
        });
        print_row("  other jobs started before one", overtaken.collect());
        print_row("  its wait, ms", arrivals.iter().map(|job| job.waited_ms()).collect());
        print_row("  other jobs in a row on one worker", rows(scenario, timeline));
    } else {
        for priority in [Priority::High, Priority::Normal, Priority::Low] {
            let jobs = timeline.jobs.iter().filter(|job| job.queue.priority == priority);
            let waits: Vec<i64> = jobs.map(JobTimes::waited_ms).collect();
            if !waits.is_empty() {
                print_row(&format!("  wait with priority {priority}, ms"), waits);
            }
        }
    }
    let idle = timeline.idle(HOLD_MS);
    let percent = |ms: i64| 100.0 * ms as f64 / idle.total_ms.max(1) as f64;
    println!(
        "  idle longer than {HOLD_MS} ms: {:.2} % of {:.1} s, {:.2} % without a larger job \
         waiting; longest {} ms",
        percent(idle.idle_ms),
        idle.total_ms as f64 / 1000.0,
        percent(idle.idle_ms - idle.reserved_ms),
        idle.longest_ms
    );
}

/// How many other jobs started in a row on one worker while an arrival waited.
fn rows(scenario: &Scenario, timeline: &Timeline) -> Vec<i64> {
    let mut workers: Vec<&str> = timeline.jobs.iter().map(|job| job.worker.as_str()).collect();
    workers.sort_unstable();
    workers.dedup();
    let arrivals = timeline.jobs.iter().filter(|job| is_arrival(scenario, job));
    let arrivals: Vec<&JobTimes> = arrivals.collect();
    let mut rows = Vec::new();
    for worker in workers {
        let mut row = 0;
        for job in timeline.jobs.iter().filter(|job| job.worker == worker) {
            let waits =
                |arrival: &&JobTimes| arrival.ready < job.started && job.started < arrival.started;
            if is_arrival(scenario, job) {
                rows.push(std::mem::take(&mut row));
            } else if arrivals.iter().any(waits) {
                row += 1;
            }
        }
        rows.push(row);
    }
    rows
}

fn is_arrival(scenario: &Scenario, job: &JobTimes) -> bool {
    scenario.arrivals.iter().any(|new| shared_queue(new) == job.queue)
}

fn print_row(name: &str, mut numbers: Vec<i64>) {
    numbers.sort_unstable();
    let at = |share: f64| numbers[((numbers.len() - 1) as f64 * share) as usize];
    println!("{name:<44}{:>8}{:>8}{:>8}", at(0.5), at(0.99), at(1.0));
}
