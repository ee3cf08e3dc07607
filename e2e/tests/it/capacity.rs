//! No worker ever exceeds its capacity map, in any type: judged from the events, not from the worker's word.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{NewJob, Status};
use e2e::{StartServices, TestEnv, assert_consistent, job};
use serde_json::json;
use store::Change;

const TYPES: [&str; 4] = ["cpu", "scan", "gpu", "net"];

/// Numbers that look random and are the same in every run of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_random_jobs_never_exceed_the_capacity_of_five_workers() {
    let env = TestEnv::new().await;
    let mut dice = Dice(20_261_120);
    let schedulers = [env.scheduler(), env.scheduler()];
    let mut maps: Vec<CapacityMap> = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..5 {
        let entries = TYPES.map(|name| format!("{name}={}", dice.below(5)));
        let map = format!("{},default=3", entries.join(","));
        workers.push(env.worker(&map));
        maps.push(map.parse().unwrap());
    }
    let mut batch: Vec<NewJob> = Vec::new();
    while batch.len() < 2000 {
        let some = (0..dice.below(3))
            .map(|_| format!("{}={}", TYPES[dice.below(4) as usize], 1 + dice.below(3)));
        let needs: BTreeMap<String, String> =
            some.map(|entry| (entry.split('=').next().unwrap().to_owned(), entry)).collect();
        let need = needs.into_values().collect::<Vec<_>>().join(",");
        let mut one = job("sleep", &need);
        if maps.iter().all(|map| map.fits(&one.class.need()) == 0) {
            continue;
        }
        let seconds = dice.below(20) as f64 / 1000.0;
        one.spec.parameters = json!({"seconds": seconds}).as_object().cloned();
        batch.push(one);
    }
    for some in batch.chunks(100) {
        env.store().submit(some).await.unwrap();
    }
    env.eventually("all jobs are done", async || {
        env.store().counts().await.unwrap().contains(&(Status::Done, 2000))
    })
    .await;

    let changes = env.store().changes("", 100_000).await.unwrap();
    let offered: HashMap<String, CapacityMap> = env
        .store()
        .workers()
        .await
        .unwrap()
        .into_iter()
        .map(|worker| (worker.id.to_string(), worker.capacity_map))
        .collect();
    let starts = check_capacity(&changes, &batch, &offered);
    assert_eq!(starts, 2000, "every job started once");
    assert_consistent(env.store()).await;
    for service in workers.into_iter().chain(schedulers) {
        service.stop().await;
    }
    env.close().await;
}

/// Replays the events; fails where a worker runs more than it offers. Returns how many runs began.
fn check_capacity(
    changes: &[Change],
    jobs: &[NewJob],
    offered: &HashMap<String, CapacityMap>,
) -> usize {
    let needs: HashMap<String, CapacityMap> =
        jobs.iter().map(|job| (job.id.to_string(), job.class.need())).collect();
    let mut free = offered.clone();
    let mut running: HashMap<String, String> = HashMap::new();
    let mut starts = 0;
    for change in changes.iter().filter(|change| change.fields.contains_key("job")) {
        let (id, status) = (&change.fields["job"], change.fields["status"].as_str());
        let need = &needs[id];
        if status == "running" {
            let worker = change.fields["worker"].clone();
            let fits = free.get_mut(&worker).unwrap().take(need, 1);
            assert!(
                fits,
                "worker {worker} has {} left of {} and took {need}",
                free[&worker], offered[&worker]
            );
            assert_eq!(running.insert(id.clone(), worker), None, "{id} runs twice");
            starts += 1;
        } else if let Some(worker) = running.remove(id) {
            free.get_mut(&worker).unwrap().give(need, 1);
        }
    }
    assert!(running.is_empty());
    starts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_nobody_had_asked_for_before_is_taken_up_while_the_worker_runs() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("cpu=4,gpu=2"));
    for need in ["cpu=1", "gpu=2", "cpu=3,gpu=1", ""] {
        let one = job("noop", need);
        env.store().submit(std::slice::from_ref(&one)).await.unwrap();
        env.eventually(need, async || {
            env.store().job(one.id).await.unwrap().unwrap().status == Status::Done
        })
        .await;
    }
    let too_large = job("noop", "gpu=3");
    env.store().submit(std::slice::from_ref(&too_large)).await.unwrap();
    let late = env.worker("gpu=3");
    env.eventually("a worker that fits joins", async || {
        env.store().job(too_large.id).await.unwrap().unwrap().status == Status::Done
    })
    .await;
    for service in [worker, late, scheduler] {
        service.stop().await;
    }
    env.close().await;
}
