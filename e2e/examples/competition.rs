//! Who goes first on a busy fleet, measured: how many normal jobs start before a high one, which share a low one has, how
//! many small jobs pass a large one, and how long workers stand idle while a job is ready. A fleet in this process, on a
//! real Redis and RabbitMQ; everything is read from the events.
//!
//!     CAPSTAN_TEST_REDIS_URL=redis://… CAPSTAN_TEST_AMQP_URL=amqp://… \
//!         cargo run --release -p capstan-e2e --example competition -- --seed 1

#![expect(clippy::print_stdout, reason = "its report is what it is for")]

use std::time::Duration;

use clap::Parser;
use domain::job::{NewJob, Priority, Status};
use e2e::{StartServices, TestEnv, Timeline, job};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::time::sleep;

/// How long a worker keeps an offer that it has no room for, as by default.
const HOLD_MS: i64 = 250;

/// What it is told.
#[derive(Parser)]
struct Arguments {
    /// Of the random lengths and sizes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the measurements whose name holds this
    #[arg(long, default_value = "")]
    only: String,
}

/// One measurement: a fleet, what waits from the beginning, and what comes in between.
struct Scene {
    name: &'static str,
    workers: Vec<String>,
    crowd: Vec<NewJob>,
    comers: Vec<NewJob>,
    every: Duration,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut dice = ChaCha8Rng::seed_from_u64(arguments.seed);
    println!("{:<44}{:>8}{:>8}{:>8}", "", "p50", "p99", "max");
    for scene in scenes(&mut dice) {
        if scene.name.contains(&arguments.only) {
            measure(scene).await;
        }
    }
    if "a worker joins".contains(&arguments.only) {
        println!("a worker joins, for a job that fitted nobody");
        let mut waits = Vec::new();
        for _ in 0..20 {
            waits.push(join().await);
        }
        line("  from its first beat to the start, ms", waits);
    }
}

/// How long after a worker has joined the job starts that waited for it.
async fn join() -> i64 {
    let env = TestEnv::new().await;
    let mut services = vec![env.scheduler(), env.worker("cpu=1")];
    let one = job("noop", "cpu=8");
    env.store().submit(std::slice::from_ref(&one)).await.expect("a job can be submitted");
    let queue = domain::queue::QueueName::of(&one);
    let broker = env.broker().await;
    env.eventually("it is offered", async || broker.depth(&queue).await.ok().flatten() == Some(1))
        .await;
    broker.close().await;
    services.push(env.worker("cpu=8"));
    let done = (Status::Done, 1);
    env.eventually("it is done", async || {
        env.store().counts().await.is_ok_and(|counts| counts.contains(&done))
    })
    .await;
    let record = env.store().job(one.id).await.expect("it can be read").expect("it is there");
    let workers = env.store().workers().await.expect("they can be read");
    let joined = workers.iter().find(|worker| Some(&worker.id) == record.worker.as_ref());
    let joined = joined.expect("it runs somewhere").started_at;
    for service in services {
        service.stop().await;
    }
    env.close().await;
    record.started_at.expect("it has started").ms() - joined.ms()
}

fn scenes(dice: &mut ChaCha8Rng) -> Vec<Scene> {
    let four = |capacity: &str| vec![capacity.to_owned(); 4];
    let (high, low) = (Priority::High, Priority::Low);
    let scene = |name, workers, crowd, comers, every_ms| Scene {
        name,
        workers,
        crowd,
        comers,
        every: Duration::from_millis(every_ms),
    };
    vec![
        scene(
            "high among short normal ones",
            four("scan=2"),
            some(dice, 1500, "scan=1", Priority::Normal, 20..60),
            some(dice, 25, "scan=1", high, 20..60),
            250,
        ),
        scene(
            "high among long normal ones",
            four("scan=2"),
            some(dice, 200, "scan=1", Priority::Normal, 300..900),
            some(dice, 25, "scan=1", high, 300..900),
            500,
        ),
        scene(
            "low among high ones",
            four("scan=2"),
            some(dice, 1500, "scan=1", high, 10..40),
            some(dice, 40, "scan=1", low, 10..40),
            0,
        ),
        scene(
            "large among small ones",
            four("cpu=4"),
            some(dice, 2400, "cpu=1", Priority::Normal, 5..60),
            some(dice, 8, "cpu=4", Priority::Normal, 20..60),
            600,
        ),
        scene(
            "two types among one",
            vec!["a=2,b=2".to_owned(); 2],
            [("a=1+b=1", 300), ("a=2", 200), ("b=2", 200), ("a=1", 200), ("b=1", 200)]
                .into_iter()
                .flat_map(|(need, count)| {
                    some(dice, count, &need.replace('+', ","), Priority::Normal, 5..40)
                })
                .collect(),
            Vec::new(),
            0,
        ),
        mixed(dice),
    ]
}

fn mixed(dice: &mut ChaCha8Rng) -> Scene {
    let needs = ["cpu=1", "cpu=2", "cpu=4", "scan=1", "cpu=1,scan=1", "gpu=1", "cpu=2,gpu=1", ""];
    let bands = [Priority::High, Priority::Normal, Priority::Normal, Priority::Low];
    let comers = (0..2000).flat_map(|_| {
        let (need, band) = (needs[dice.random_range(0..8)], bands[dice.random_range(0..4)]);
        some(dice, 1, need, band, 5..200)
    });
    let comers = comers.collect();
    let workers = ["cpu=4,scan=2", "cpu=8,gpu=1", "cpu=4,gpu=2,scan=1", "scan=4", "cpu=6,gpu=1"];
    let workers = workers.map(|map| format!("{map},default=4")).to_vec();
    Scene { name: "mixed", workers, crowd: Vec::new(), comers, every: Duration::from_millis(12) }
}

/// Jobs that sleep for so many milliseconds.
fn some(
    dice: &mut ChaCha8Rng,
    count: usize,
    need: &str,
    band: Priority,
    ms: std::ops::Range<u32>,
) -> Vec<NewJob> {
    let one = |_| {
        let mut one = job("sleep", need);
        let seconds = f64::from(dice.random_range(ms.clone())) / 1000.0;
        one.spec.parameters = json!({"seconds": seconds}).as_object().cloned();
        one.spec.priority = band;
        one
    };
    (0..count).map(one).collect()
}

async fn measure(scene: Scene) {
    let env = TestEnv::new().await;
    let mut services = vec![env.scheduler()];
    services.extend(scene.workers.iter().map(|map| env.worker(map)));
    let count = scene.workers.len();
    env.eventually("the workers are there", async || {
        env.store().workers().await.is_ok_and(|all| all.len() == count)
    })
    .await;
    for jobs in scene.crowd.chunks(100) {
        env.store().submit(jobs).await.expect("jobs can be submitted");
    }
    for one in &scene.comers {
        sleep(scene.every).await;
        env.store().submit(std::slice::from_ref(one)).await.expect("a job can be submitted");
    }
    let all: Vec<NewJob> = scene.crowd.iter().chain(&scene.comers).cloned().collect();
    let done = (Status::Done, all.len() as u64);
    env.eventually("all are done", async || {
        env.store().counts().await.is_ok_and(|counts| counts.contains(&done))
    })
    .await;
    report(&scene, &Timeline::of(env.store(), &all).await);
    for service in services {
        service.stop().await;
    }
    env.close().await;
}

fn report(scene: &Scene, timeline: &Timeline) {
    println!("{} ({} jobs)", scene.name, timeline.runs.len());
    let comers: Vec<_> = timeline.runs.iter().filter(|run| is_of(&scene.comers, run)).collect();
    if !scene.crowd.is_empty() && !comers.is_empty() {
        let passed = comers.iter().map(|one| {
            let others = timeline.started_before(one).filter(|other| other.queue != one.queue);
            others.count() as i64
        });
        line("  others that started before one", passed.collect());
        line("  its wait, ms", comers.iter().map(|run| run.waited_ms()).collect());
        line("  others in a row on one worker", rows(scene, timeline));
    } else {
        for band in [Priority::High, Priority::Normal, Priority::Low] {
            let of_band = timeline.runs.iter().filter(|run| run.queue.priority == band);
            let waits: Vec<i64> = of_band.map(e2e::Run::waited_ms).collect();
            if !waits.is_empty() {
                line(&format!("  wait of {band}, ms"), waits);
            }
        }
    }
    let idle = timeline.idle(HOLD_MS);
    let share = |ms: i64| 100.0 * ms as f64 / idle.total_ms.max(1) as f64;
    println!(
        "  idle beyond the hold: {:.2} % of {:.1} s, without a larger job waiting {:.2} %; longest {} ms",
        share(idle.idle_ms),
        idle.total_ms as f64 / 1000.0,
        share(idle.idle_ms - idle.aside_ms),
        idle.longest_ms
    );
}

/// How many others started in a row on one worker while a comer waited.
fn rows(scene: &Scene, timeline: &Timeline) -> Vec<i64> {
    let mut workers: Vec<&str> = timeline.runs.iter().map(|run| run.worker.as_str()).collect();
    workers.sort_unstable();
    workers.dedup();
    let comers: Vec<_> = timeline.runs.iter().filter(|run| is_of(&scene.comers, run)).collect();
    let mut rows = Vec::new();
    for worker in workers {
        let mut row = 0;
        for run in timeline.runs.iter().filter(|run| run.worker == worker) {
            let place = run.started.0;
            if is_of(&scene.comers, run) {
                rows.push(std::mem::take(&mut row));
            } else if comers.iter().any(|one| one.ready.0 < place && place < one.started.0) {
                row += 1;
            }
        }
        rows.push(row);
    }
    rows
}

fn is_of(jobs: &[NewJob], run: &e2e::Run) -> bool {
    jobs.iter().any(|job| domain::queue::QueueName::of(job) == run.queue)
}

fn line(what: &str, mut numbers: Vec<i64>) {
    numbers.sort_unstable();
    let at = |share: f64| numbers[((numbers.len() - 1) as f64 * share) as usize];
    println!("{what:<44}{:>8}{:>8}{:>8}", at(0.5), at(0.99), at(1.0));
}
