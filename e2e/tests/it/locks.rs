//! Locks in a whole fleet, judged by the event stream.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::job::{NewJob, Priority};
use domain::lock::LockName;
use e2e::StartServices;
use serde_json::json;
use store::Event;
use testkit::{TestEnv, assert_consistent, job, with_parameters};
use uuid::Uuid;

fn lock_name(text: &str) -> LockName {
    text.parse().unwrap()
}

/// The highest number of permits of each lock that were held at once.
fn most_permits_held(changes: &[Event], jobs: &[NewJob]) -> BTreeMap<String, u32> {
    let jobs: HashMap<String, &NewJob> = jobs.iter().map(|job| (job.id.to_string(), job)).collect();
    let (mut held, mut most): (BTreeMap<String, u32>, BTreeMap<String, u32>) = Default::default();
    let mut running = HashSet::new();
    for change in changes {
        let (Some(id), Some(status)) = (change.fields.get("job"), change.fields.get("status"))
        else {
            continue;
        };
        let Some(job) = jobs.get(id) else { continue };
        let starts = status == "running" && running.insert(id.clone());
        let ends = status != "running" && status != "cancel_request" && running.remove(id);
        for (lock, permits) in job.spec.locks.iter() {
            let held = held.entry(lock.to_string()).or_default();
            *held += if starts { permits } else { 0 };
            *held -= if ends { permits } else { 0 };
            let most = most.entry(lock.to_string()).or_default();
            *most = (*held).max(*most);
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn six_hundred_jobs_with_locks_never_hold_too_many_permits_and_all_run() {
    let env = TestEnv::new().await;
    let store = env.store();
    store.set_permits(&lock_name("licence"), Some(4)).await.unwrap();
    store.set_permits(&lock_name("action:sleep"), Some(7)).await.unwrap();
    let services = [
        env.scheduler(),
        env.scheduler(),
        env.worker("scan=8"),
        env.worker("scan=8"),
        env.worker("scan=3"),
    ];
    let locks = ["a=1", "a=1 b=1", "b=1 licence=1", "licence=3", "licence=1", "a=1 b=1 licence=4"];
    let priorities = [Priority::High, Priority::Normal, Priority::Low];
    let batch: Vec<NewJob> = (0..600)
        .map(|index| {
            let mut new = with_parameters(job("sleep", "scan=1"), &json!({"seconds": 0.004}));
            new.spec.locks = locks[index % locks.len()].parse().unwrap();
            new.spec.priority = priorities[index % 7 % 3];
            new
        })
        .collect();
    store.submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    env.until_done(600).await;
    let changes = store.event_list("", 100_000).await.unwrap();
    let most = most_permits_held(&changes, &batch);
    assert_eq!((most["a"], most["b"], most["licence"]), (1, 1, 4));
    assert_eq!(store.lock(&lock_name("action:sleep")).await.unwrap().held, 0);
    for service in services {
        service.stop().await;
    }
    assert_consistent(store).await;
    env.close().await;
}
