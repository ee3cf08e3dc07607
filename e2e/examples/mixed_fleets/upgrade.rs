//! The upgrade of a fleet of three to a new action, worker by worker, second by second.

use std::time::Duration;

use domain::job::NewJob;
use e2e::{JobTimes, StartServices, Timeline};
use testkit::{Service, TestEnv, job};
use tokio::time::interval;

use crate::fleet::{live_workers, until_live};

const WORKERS: usize = 3;
const NEW: &str = "new";
const CAPACITY: &str = "--capacity=cpu=4";
/// The fleet is left alone for this long before and after each replacement.
const STEP: Duration = Duration::from_secs(3);

/// The state of the fleet at the start of a second.
struct Sample {
    ms: i64,
    live: usize,
    know: usize,
}

/// Submits jobs of the new action and of one that all know, and prints a row for each second.
pub(crate) async fn measure(per_second: u32) {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let workers: Vec<Service> =
        (0..WORKERS).map(|_| env.worker_that_knows(&[], &[CAPACITY])).collect();
    until_live(&env, WORKERS).await;
    let seconds = STEP.as_secs() as usize * (WORKERS + 2);
    let count = seconds * per_second as usize;
    let jobs: Vec<NewJob> =
        (0..count).flat_map(|_| [job(NEW, "cpu=1"), job("noop", "cpu=1")]).collect();
    let submitting = async {
        let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
        for pair in jobs.chunks(2) {
            ticks.tick().await;
            env.store().submit(pair).await.expect("Redis answers");
        }
    };
    let sampling = async {
        let (mut samples, mut ticks) = (Vec::new(), interval(Duration::from_secs(1)));
        for _ in 0..seconds {
            ticks.tick().await;
            samples.push(sample(&env).await);
        }
        samples
    };
    let ((), samples, upgraded) = tokio::join!(submitting, sampling, upgrade(&env, workers));
    env.until_done(jobs.len() as u64).await;
    print_seconds(&env, &jobs, &samples).await;
    for service in upgraded.into_iter().chain([scheduler]) {
        service.stop().await;
    }
    env.close().await;
}

/// Replaces one worker after the other.
async fn upgrade(env: &TestEnv, workers: Vec<Service>) -> Vec<Service> {
    let (mut upgraded, mut ticks) = (Vec::new(), interval(STEP));
    ticks.tick().await;
    for old in workers {
        ticks.tick().await;
        old.stop().await;
        upgraded.push(env.worker_that_knows(&[NEW], &[CAPACITY]));
    }
    upgraded
}

async fn sample(env: &TestEnv) -> Sample {
    let live = live_workers(env).await;
    let know = live.iter().filter(|worker| worker.actions.iter().any(|name| name == NEW)).count();
    let ms = env.store().now().await.expect("Redis answers").ms();
    Sample { ms, live: live.len(), know }
}

async fn print_seconds(env: &TestEnv, jobs: &[NewJob], samples: &[Sample]) {
    println!("an upgrade to a new action; started: new jobs, by the queue that carried them");
    println!(
        "{:>6} {:>5} {:>5} {:>9} {:>8} {:>6} {:>14} {:>14}",
        "second", "live", "know", "submitted", "action", "shared", "wait p50/max", "others p50/max"
    );
    let timeline = Timeline::of(env.store(), jobs).await;
    let ends = samples.iter().skip(1).map(|sample| sample.ms).chain([i64::MAX]);
    for (second, (sample, end)) in samples.iter().zip(ends).enumerate() {
        let span = sample.ms..end;
        let is_new = |job: &&JobTimes| job.action.as_str() == NEW;
        let submitted = timeline.jobs.iter().filter(|job| span.contains(&job.ready.ms));
        let submitted = submitted.filter(is_new).count();
        let started = timeline.jobs.iter().filter(|job| span.contains(&job.started.ms));
        let (new, others): (Vec<&JobTimes>, Vec<&JobTimes>) = started.partition(is_new);
        let mut by_action = 0;
        for job in &new {
            by_action += usize::from(env.job(job.id).await.action_queue);
        }
        println!(
            "{second:>6} {:>5} {:>5} {submitted:>9} {by_action:>8} {:>6} {:>14} {:>14}",
            sample.live,
            sample.know,
            new.len() - by_action,
            waits(&new),
            waits(&others)
        );
    }
}

fn waits(jobs: &[&JobTimes]) -> String {
    let mut waits: Vec<i64> = jobs.iter().map(|job| job.waited_ms()).collect();
    waits.sort_unstable();
    match waits.last() {
        Some(longest) => format!("{}/{longest}", waits[(waits.len() - 1) / 2]),
        None => "-".to_owned(),
    }
}
