//! How far jobs of equal priority and `scheduledAt` are from their turn.

use std::collections::HashMap;

use domain::job::{NewJob, Status};
use e2e::{StartServices, Timeline};
use serde_json::json;
use testkit::{ActionsFile, Gate, Service, TestEnv, job, with_parameters};
use uuid::Uuid;

use crate::fleet::until_live;

/// Measures a batch of one action, which so many of the workers know. Each has one unit.
pub(crate) async fn measure_batch(workers: usize, know: usize, jobs: usize) {
    let env = TestEnv::new().await;
    let mut services = vec![env.scheduler()];
    for place in 0..workers {
        let actions: &[&str] = if place < know { &["a"] } else { &[] };
        services.push(env.worker_that_knows(actions, &["--capacity=cpu=1"]));
    }
    until_live(&env, workers).await;
    // Of different lengths, so that workers do not end their jobs in turns.
    let batch: Vec<NewJob> = (0..jobs)
        .map(|index| {
            let seconds = (index * 7 % 10) as f64 / 1000.0;
            with_parameters(job("a", "cpu=1"), &json!({"seconds": seconds}))
        })
        .collect();
    env.store().submit_batch(Uuid::new_v4(), &batch).await.expect("Redis answers");
    env.until_done(jobs as u64).await;
    print_distances(&format!("a batch, {know} of {workers} workers know its action"), &env, &batch)
        .await;
    stop(env, services).await;
}

/// Measures jobs that wait for one lock, from when it becomes free.
pub(crate) async fn measure_lock(workers: usize, jobs: usize) {
    let env = TestEnv::new().await;
    let gate = Gate::new();
    let actions = ActionsFile::new(&gate.action("gated"));
    let mut services = vec![env.scheduler()];
    let flags = ["--capacity=cpu=4", &actions.flag()];
    services.extend((0..workers).map(|_| env.worker_with(&flags)));
    until_live(&env, workers).await;
    let locked = |action: &str| {
        let mut new = job(action, "cpu=1");
        new.spec.locks = "database=1".parse().expect("the lock is valid");
        new
    };
    let holder = locked("gated");
    env.store().submit(std::slice::from_ref(&holder)).await.expect("Redis answers");
    let held = async || env.job(holder.id).await.status == Status::Running;
    env.eventually("the lock is held", held).await;
    let batch: Vec<NewJob> = (0..jobs).map(|_| locked("noop")).collect();
    env.store().submit(&batch).await.expect("Redis answers");
    let lock = "database".parse().expect("the lock is valid");
    let all_wait =
        async || env.store().lock(&lock).await.is_ok_and(|one| one.waiting == jobs as u64);
    env.eventually("all jobs wait for the lock", all_wait).await;
    gate.open();
    env.until_done(jobs as u64 + 1).await;
    print_distances(&format!("behind one lock, {workers} workers"), &env, &batch).await;
    stop(env, services).await;
}

async fn print_distances(name: &str, env: &TestEnv, batch: &[NewJob]) {
    let timeline = Timeline::of(env.store(), batch).await;
    let turns: HashMap<_, _> = batch.iter().enumerate().map(|(turn, job)| (job.id, turn)).collect();
    let started = timeline.jobs.iter().enumerate();
    let mut distances: Vec<usize> =
        started.map(|(place, job)| place.abs_diff(turns[&job.id])).collect();
    distances.sort_unstable();
    let at = |share: f64| distances[((distances.len() - 1) as f64 * share) as usize];
    println!("{name:52}{:>6}{:>6}{:>6}{:>6}", batch.len(), at(0.5), at(0.99), at(1.0));
}

async fn stop(env: TestEnv, services: Vec<Service>) {
    for service in services {
        service.stop().await;
    }
    env.close().await;
}
