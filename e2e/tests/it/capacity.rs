//! No worker ever exceeds its capacity map, in any type, judged by the event stream.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{NewJob, Status};
use e2e::StartServices;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use store::Event;
use testkit::{TestEnv, assert_consistent, job, with_parameters};

const TYPES: [&str; 4] = ["cpu", "scan", "gpu", "net"];
const JOBS: usize = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_random_jobs_never_exceed_the_capacity_of_five_workers() {
    let env = TestEnv::new().await;
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_120);
    let schedulers = [env.scheduler(), env.scheduler()];
    let mut maps: Vec<CapacityMap> = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..5 {
        let entries = TYPES.map(|kind| format!("{kind}={}", rng.random_range(0..5)));
        let map = format!("{},default=3", entries.join(","));
        workers.push(env.worker(&map));
        maps.push(map.parse().unwrap());
    }
    let mut batch: Vec<NewJob> = Vec::new();
    while batch.len() < JOBS {
        let new = random_job(&mut rng);
        if maps.iter().any(|map| map.fits(&new.class.need()) > 0) {
            batch.push(new);
        }
    }
    for chunk in batch.chunks(100) {
        env.store().submit(chunk).await.unwrap();
    }
    env.until_done(JOBS as u64).await;

    let changes = env.store().event_list("", 100_000).await.unwrap();
    let workers_seen = env.store().workers().await.unwrap().into_iter();
    let capacity: HashMap<String, CapacityMap> =
        workers_seen.map(|worker| (worker.id.to_string(), worker.capacity_map)).collect();
    assert_eq!(replay(&changes, &batch, &capacity), JOBS, "every job started once");
    assert_consistent(env.store()).await;
    for service in workers.into_iter().chain(schedulers) {
        service.stop().await;
    }
    env.close().await;
}

fn random_job(rng: &mut ChaCha8Rng) -> NewJob {
    let mut need: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..rng.random_range(0..3) {
        need.insert(TYPES[rng.random_range(0..4)], rng.random_range(1..=3));
    }
    let need: Vec<String> = need.iter().map(|(kind, units)| format!("{kind}={units}")).collect();
    let seconds = f64::from(rng.random_range(0..20)) / 1000.0;
    with_parameters(job("sleep", &need.join(",")), &json!({"seconds": seconds}))
}

/// Replays the events and returns how many jobs started. Fails the test where a worker exceeds its
/// capacity.
fn replay(changes: &[Event], jobs: &[NewJob], capacity: &HashMap<String, CapacityMap>) -> usize {
    let needs: HashMap<String, CapacityMap> =
        jobs.iter().map(|job| (job.id.to_string(), job.class.need())).collect();
    let mut free = capacity.clone();
    let mut running: HashMap<String, String> = HashMap::new();
    let mut starts = 0;
    for change in changes.iter().filter(|change| change.fields.contains_key("job")) {
        let (id, status) = (&change.fields["job"], change.fields["status"].as_str());
        let need = &needs[id];
        if status == "running" {
            let worker = change.fields["worker"].clone();
            let fits = free.get_mut(&worker).unwrap().take(need, 1);
            let (left, all) = (&free[&worker], &capacity[&worker]);
            assert!(fits, "worker {worker} started {need} with {left} of {all} free");
            assert_eq!(running.insert(id.clone(), worker), None, "job {id} runs twice");
            starts += 1;
        } else if let Some(worker) = running.remove(id) {
            free.get_mut(&worker).unwrap().give(need, 1);
        }
    }
    assert!(running.is_empty(), "jobs without an end: {running:?}");
    starts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_worker_takes_jobs_of_a_class_that_is_new_to_the_fleet() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("cpu=4,gpu=2"));
    for need in ["cpu=1", "gpu=2", "cpu=3,gpu=1", ""] {
        let new = job("noop", need);
        env.store().submit(std::slice::from_ref(&new)).await.unwrap();
        assert_eq!(env.finished(new.id).await.status, Status::Done, "{need}");
    }
    let too_large = job("noop", "gpu=3");
    env.store().submit(std::slice::from_ref(&too_large)).await.unwrap();
    let larger = env.worker("gpu=3");
    assert_eq!(env.finished(too_large.id).await.status, Status::Done);
    for service in [worker, larger, scheduler] {
        service.stop().await;
    }
    env.close().await;
}
