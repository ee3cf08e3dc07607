//! Locks and dependencies in a whole fleet: judged from the events, by what ran when.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::job::{JobId, NewJob, Priority, Status};
use domain::lock::LockName;
use e2e::{StartServices, TestEnv, assert_consistent, job};
use serde_json::json;
use store::Change;
use uuid::Uuid;

use crate::world::{ended, look, with};

fn name(text: &str) -> LockName {
    text.parse().unwrap()
}

/// The most jobs that ran at once with each lock, by the order of the events.
fn most_at_once(changes: &[Change], jobs: &[NewJob]) -> BTreeMap<String, u32> {
    let jobs: HashMap<String, &NewJob> = jobs.iter().map(|job| (job.id.to_string(), job)).collect();
    let (mut held, mut most): (BTreeMap<String, u32>, BTreeMap<String, u32>) = Default::default();
    let mut running = HashSet::new();
    for change in changes {
        let (Some(id), Some(status)) = (change.fields.get("job"), change.fields.get("status"))
        else {
            continue;
        };
        let Some(job) = jobs.get(id) else { continue };
        let begins = status == "running" && running.insert(id.clone());
        let ends = status != "running" && status != "cancel_request" && running.remove(id);
        for (lock, permits) in job.spec.locks.iter() {
            let held = held.entry(lock.to_string()).or_default();
            *held += if begins { permits } else { 0 };
            *held -= if ends { permits } else { 0 };
            let most = most.entry(lock.to_string()).or_default();
            *most = (*held).max(*most);
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn six_hundred_jobs_with_locks_never_hold_more_than_there_is_and_all_run() {
    let env = TestEnv::new().await;
    let store = env.store();
    store.set_permits(&name("licence"), Some(4)).await.unwrap();
    store.set_permits(&name("action:sleep"), Some(7)).await.unwrap();
    let services = [
        env.scheduler(),
        env.scheduler(),
        env.worker("scan=8"),
        env.worker("scan=8"),
        env.worker("scan=3"),
    ];
    let kinds = ["a=1", "a=1 b=1", "b=1 licence=1", "licence=3", "licence=1", "a=1 b=1 licence=4"];
    let bands = [Priority::High, Priority::Normal, Priority::Low];
    let batch: Vec<NewJob> = (0..600)
        .map(|at| {
            let mut job = with(job("sleep", "scan=1"), &json!({"seconds": 0.004}));
            job.spec.locks = kinds[at % kinds.len()].parse().unwrap();
            job.spec.priority = bands[at % 7 % 3];
            job
        })
        .collect();
    store.submit_batch(Uuid::new_v4(), &batch).await.unwrap();
    let all_done = async || store.counts().await.unwrap().contains(&(Status::Done, 600));
    env.eventually("all jobs are done", all_done).await;
    let changes = store.changes("", 100_000).await.unwrap();
    let most = most_at_once(&changes, &batch);
    assert_eq!((most["a"], most["b"]), (1, 1));
    assert_eq!(most["licence"], 4, "and all of them are used");
    assert_eq!(store.lock(&name("action:sleep")).await.unwrap().held, 0);
    for service in services {
        service.stop().await;
    }
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_of_jobs_runs_in_its_order_whatever_is_tried_again() {
    let env = TestEnv::new().await;
    let store = env.store();
    let services = [env.scheduler(), env.worker("scan=4"), env.worker("scan=4")];
    // Layers of five, each job after two or three of the layer before.
    let mut batch: Vec<NewJob> = Vec::new();
    for layer in 0..20 {
        for place in 0..5 {
            let mut job = with(job("sleep", "scan=1"), &json!({"seconds": 0.001}));
            if layer > 0 {
                let before = |at: usize| batch[(layer - 1) * 5 + at % 5].id;
                job.spec.depends_on = (place..place + 2 + layer % 2).map(before).collect();
            }
            batch.push(job);
        }
    }
    store.submit(&batch).await.unwrap();
    let last = ended(&env, batch[99].id).await;
    assert_eq!(last.status, Status::Done);
    env.eventually("all are done", async || {
        store.counts().await.unwrap().contains(&(Status::Done, 100))
    })
    .await;
    let changes = store.changes("", 100_000).await.unwrap();
    let at = |id: JobId, status: &str| {
        let is = |change: &Change| {
            change.fields.get("job") == Some(&id.to_string())
                && change.fields.get("status").is_some_and(|to| to == status)
        };
        changes.iter().position(is).unwrap()
    };
    for job in &batch {
        let begins = at(job.id, "running");
        for on in &job.spec.depends_on {
            assert!(at(*on, "done") < begins, "{} began before {on} was done", job.id);
        }
    }
    for service in services {
        service.stop().await;
    }
    assert_consistent(store).await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_good_ends_its_dependents_and_what_is_lost_does_not() {
    let env = TestEnv::new().await;
    let store = env.store();
    let scheduler = env.scheduler();
    let doomed = env.worker("scan=1");
    let mut fails = job("false", "scan=1");
    fails.spec.retries = 1;
    fails.spec.backoff = serde_json::from_str(r#"{"base":"1ms","max":"1ms"}"#).unwrap();
    let mut after = job("noop", "scan=1");
    after.spec.depends_on = vec![fails.id];
    let mut far = job("noop", "scan=1");
    far.spec.depends_on = vec![after.id];
    store.submit(&[fails, after, far.clone()]).await.unwrap();
    let over = ended(&env, far.id).await;
    assert_eq!(over.exception.unwrap().kind, "DependencyFailed");

    let slow = with(job("sleep", "scan=1"), &json!({"seconds": 3600}));
    let mut next = job("noop", "scan=1");
    next.spec.depends_on = vec![slow.id];
    store.submit(&[slow.clone(), next.clone()]).await.unwrap();
    let runs = async || look(store, slow.id).await.status == Status::Running;
    env.eventually("it runs", runs).await;
    doomed.kill().await;
    let carried = async || look(store, slow.id).await.follow_up.is_some();
    env.eventually("it is carried on", carried).await;
    let second = look(store, slow.id).await.follow_up.unwrap();
    assert_eq!(look(store, next.id).await.status, Status::Waiting);
    store.cancel(&[second], &domain::job::Cancelled::default()).await.unwrap();
    assert_eq!(ended(&env, next.id).await.status, Status::Cancel);
    scheduler.stop().await;
    assert_consistent(store).await;
    env.close().await;
}
