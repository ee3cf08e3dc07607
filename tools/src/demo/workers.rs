//! The workers of the fleet: which are live, which can scan, and changing what they offer.

use std::time::{Duration, Instant};

use client::ClientError;
use client::wire::{Units, Worker};
use serde_json::{Value, json};

use crate::fleet::{Fleet, POLL_INTERVAL};

/// Time for the lease of a worker killed in an earlier run to end, and for its restart.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// An action of each of the files of actions that the demo needs.
const ACTIONS: [&str; 2] = ["push", "kill_worker"];

/// The capacity type that only one worker offers at a time, to run a job on that worker.
pub(crate) const PINNED: &str = "chosen";

/// After this time the killing job expires instead of killing a worker of a later run.
const KILLER_EXPIRY: Duration = Duration::from_secs(90);

/// Whether the demo can run.
pub(crate) enum Readiness {
    Ready,
    /// The workers have other actions, as a sentence says.
    OtherActions(String),
}

/// Waits until the fleet has the workers that the demo needs, or workers with other actions.
pub(crate) async fn readiness(fleet: &Fleet) -> Result<Readiness, ClientError> {
    let deadline = fleet.deadline.min(Instant::now() + SETTLE_TIMEOUT);
    loop {
        let live = live(fleet).await?;
        if let Some(sentence) = unknown_to_all(&live) {
            return Ok(Readiness::OtherActions(sentence));
        }
        match missing(&live) {
            None => return Ok(Readiness::Ready),
            Some(reason) if Instant::now() >= deadline => {
                return Err(ClientError::TimedOut(reason));
            }
            Some(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

fn missing(live: &[Worker]) -> Option<String> {
    let scanners = scanners(live).count();
    if scanners < 2 {
        return Some(format!(
            "the demo needs two running workers that offer scan=1,scanCheck=1; the fleet has \
             {scanners}"
        ));
    }
    let unaware = live.iter().find(|worker| !worker.actions.iter().any(|name| name == "push"))?;
    Some(format!("worker {} does not know the actions of examples/registry", unaware.id))
}

/// Says which of its actions no worker knows; `None` also if there is no worker yet.
fn unknown_to_all(live: &[Worker]) -> Option<String> {
    let known = |name: &str| live.iter().any(|worker| worker.actions.iter().any(|it| it == name));
    let missing: Vec<&str> = ACTIONS.into_iter().filter(|name| !known(name)).collect();
    let sentence = format!(
        "the demo is left out, because no worker knows its actions: {} (of examples/registry and \
         examples/demo)",
        missing.join(", ")
    );
    (!live.is_empty() && !missing.is_empty()).then_some(sentence)
}

/// Lists the live workers, drained ones included.
pub(crate) async fn live(fleet: &Fleet) -> Result<Vec<Worker>, ClientError> {
    let mut workers: Vec<Worker> = fleet.api.page("/workers", &[]).await?.items("workers")?;
    workers.retain(|worker| worker.status == "running" || worker.status == "draining");
    Ok(workers)
}

/// The workers that run one scan and one scan check at a time.
fn scanners(workers: &[Worker]) -> impl Iterator<Item = &Worker> {
    workers.iter().filter(|worker| {
        let offers = |name| worker.capacity_map.of(name);
        worker.status == "running" && offers("scan") == 1 && offers("scanCheck") == 1
    })
}

/// Drains every worker that could scan except one, runs `section` with the id of that one, and
/// resumes the others.
pub(crate) async fn with_one_scanner<T>(
    fleet: &Fleet,
    section: impl AsyncFnOnce(&str) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let live = live(fleet).await?;
    let scanner = scanners(&live).next().map(|worker| worker.id.clone());
    let scanner = scanner.ok_or_else(|| ClientError::TimedOut("no worker can scan".to_owned()))?;
    let can_scan = |worker: &&Worker| {
        worker.id != scanner
            && ["scan", "scanCheck"].iter().any(|name| worker.capacity_map.of(name) > 0)
    };
    let others: Vec<&Worker> = live.iter().filter(can_scan).collect();
    command(fleet, &others, "drain").await?;
    let result = async {
        wait_for_status(fleet, &others, "draining").await?;
        section(&scanner).await
    };
    let result = result.await;
    // Even after an error: nothing else would resume them.
    command(fleet, &others, "resume").await?;
    wait_for_status(fleet, &others, "running").await?;
    result
}

/// A job that kills the worker that offers the capacity that it needs.
pub(crate) fn killer() -> Value {
    json!({
        "action": "kill_worker", "capacityMap": {PINNED: 1}, "onWorkerLost": "fail",
        "expiresAt": (chrono::Utc::now() + KILLER_EXPIRY).to_rfc3339(),
    })
}

/// Replaces the capacity that a worker offers.
pub(crate) async fn set_capacity(
    fleet: &Fleet,
    worker: &str,
    capacity: &Units,
) -> Result<(), ClientError> {
    let body = json!({"capacityMap": capacity}).to_string();
    fleet.api.post_text(&format!("/workers/{worker}/capacity"), body).await.map(drop)
}

/// Waits until a worker offers a capacity.
pub(crate) async fn wait_for_capacity(
    fleet: &Fleet,
    worker: &str,
    capacity: &Units,
) -> Result<(), ClientError> {
    wait_for(fleet, worker, "to offer its capacity", |worker| worker.capacity_map == *capacity)
        .await
}

async fn command(fleet: &Fleet, workers: &[&Worker], command: &str) -> Result<(), ClientError> {
    for worker in workers {
        fleet.api.command(&format!("/workers/{}/{command}", worker.id)).await?;
    }
    Ok(())
}

async fn wait_for_status(
    fleet: &Fleet,
    workers: &[&Worker],
    status: &str,
) -> Result<(), ClientError> {
    for worker in workers {
        let awaited = format!("to be {status}");
        wait_for(fleet, &worker.id, &awaited, |worker| worker.status == status).await?;
    }
    Ok(())
}

async fn wait_for(
    fleet: &Fleet,
    id: &str,
    awaited: &str,
    condition: impl Fn(&Worker) -> bool,
) -> Result<(), ClientError> {
    let poll = async || {
        let worker: Worker = fleet.api.get(&format!("/workers/{id}")).await?;
        Ok(condition(&worker).then_some(()))
    };
    fleet.poll_until(&format!("waiting for worker {id} {awaited}"), poll).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(status: &str, scan: u64, actions: &[&str]) -> Worker {
        let offers = json!({"scan": scan, "scanCheck": 1, "default": 16});
        let document =
            json!({"id": "aa", "status": status, "capacityMap": offers, "actions": actions});
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_fleet_with_other_actions_has_no_demo() {
        let worker = |actions| worker("running", 1, actions);
        assert_eq!(unknown_to_all(&[worker(&["push"]), worker(&["kill_worker"])]), None);
        let expected = "the demo is left out, because no worker knows its actions: kill_worker \
                        (of examples/registry and examples/demo)";
        let found = unknown_to_all(&[worker(&["push"]), worker(&["mine"])]);
        assert_eq!(found.as_deref(), Some(expected));
        assert_eq!(unknown_to_all(&[]), None);
    }

    #[test]
    fn the_demo_needs_two_scanners_and_workers_that_know_its_actions() {
        let good = || worker("running", 1, &["push"]);
        assert_eq!(missing(&[good(), good(), worker("running", 8, &["push"])]), None);
        for other in [worker("draining", 1, &["push"]), worker("running", 2, &["push"])] {
            assert!(missing(&[good(), other]).unwrap().ends_with("the fleet has 1"));
        }
        let unaware = worker("running", 1, &["sleep"]);
        assert!(missing(&[good(), good(), unaware]).unwrap().contains("does not know"));
    }
}
