//! How long jobs wait for their start: single jobs at a steady rate, then bursts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::job::NewJob;
use e2e::{JobTimes, Timeline};
use rand::rngs::ChaCha8Rng;
use tokio::time::{interval, sleep};

use crate::fleet::{Fleet, Sets, one_job_each, random_job};

/// What is submitted to a fleet.
pub(crate) struct Load {
    pub(crate) singles: usize,
    pub(crate) period: Duration,
    pub(crate) bursts: usize,
    pub(crate) burst: usize,
    pub(crate) change_period: Duration,
}

/// Measures one fleet and prints a row.
pub(crate) async fn measure(workers: usize, sets: Sets, load: &Load, rng: &mut ChaCha8Rng) {
    let fleet = Fleet::start(workers, sets).await;
    // The first job of a queue waits until the queue exists.
    let first = one_job_each();
    fleet.env.store().submit(&first).await.expect("Redis answers");
    fleet.env.until_done(first.len() as u64).await;
    let singles: Vec<NewJob> = (0..load.singles).map(|_| random_job(rng)).collect();
    let bursts: Vec<NewJob> = (0..load.bursts * load.burst).map(|_| random_job(rng)).collect();
    let over = AtomicBool::new(false);
    let env = &fleet.env;
    let submitting = async {
        let mut ticks = interval(load.period);
        for new in &singles {
            ticks.tick().await;
            env.store().submit(std::slice::from_ref(new)).await.expect("Redis answers");
        }
        let mut expected = first.len() + singles.len();
        env.until_done(expected as u64).await;
        for burst in bursts.chunks(load.burst.max(1)) {
            env.store().submit(burst).await.expect("Redis answers");
            expected += burst.len();
            env.until_done(expected as u64).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let changing = async {
        while sets == Sets::Changing && !over.load(Ordering::Relaxed) {
            fleet.replace().await;
            sleep(load.change_period).await;
        }
    };
    tokio::join!(submitting, changing);
    let all: Vec<NewJob> = singles.iter().chain(&bursts).cloned().collect();
    let idle_ms = Timeline::of(fleet.env.store(), &all).await.idle(0).longest_ms;
    print!("{workers:>7}  {sets:12}");
    for jobs in [&singles, &bursts] {
        print_waits(&Timeline::of(fleet.env.store(), jobs).await.jobs);
    }
    println!("{idle_ms:>7}");
    fleet.stop().await;
}

fn print_waits(jobs: &[JobTimes]) {
    let mut waits: Vec<i64> = jobs.iter().map(JobTimes::waited_ms).collect();
    waits.sort_unstable();
    let at = |share: f64| waits.get((waits.len().saturating_sub(1) as f64 * share) as usize);
    print!("{:>8}", jobs.len());
    for share in [0.5, 0.99, 1.0] {
        print!("{:>7}", at(share).copied().unwrap_or(0));
    }
}
