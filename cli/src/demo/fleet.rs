//! The fleet that the demo plays on: who lives, who scans, and what is said to workers through the
//! API.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{PAUSE, Stage};
use crate::failure::Failure;
use crate::wire::{Units, Worker, Workers, units_of};

/// A worker of an earlier run, killed, counts as alive until its lease ends; one that died is
/// started again meanwhile.
const SETTLE: Duration = Duration::from_secs(30);
/// What only the worker offers that the demo wants a job to run on.
pub(super) const CHOSEN: &str = "chosen";

/// Waits until there are workers enough.
pub(super) async fn ready(stage: &Stage<'_>) -> Result<(), Failure> {
    let deadline = stage.deadline.min(Instant::now() + SETTLE);
    loop {
        match why_not_ready(&live(stage).await?) {
            None => return Ok(()),
            Some(why) if Instant::now() >= deadline => return Err(Failure::Late(why)),
            Some(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn why_not_ready(live: &[Worker]) -> Option<String> {
    let scanners = scanners(live);
    if scanners.len() < 2 {
        let count = scanners.len();
        return Some(format!(
            "the demo needs two live workers that offer scan=1,scanCheck=1, and there are {count}"
        ));
    }
    let ignorant = live.iter().find(|worker| !worker.actions.iter().any(|name| name == "push"));
    ignorant.map(|worker| format!("worker {} does not know the registry's actions", worker.id))
}

/// The workers that live, those that are drained too.
pub(super) async fn live(stage: &Stage<'_>) -> Result<Vec<Worker>, Failure> {
    let all: Workers = stage.api.get("/workers").await?;
    let mut live = all.workers;
    live.retain(|worker| worker.status == "running" || worker.status == "draining");
    Ok(live)
}

/// Those that take one scan and one scan check at a time, as in the reference's example.
pub(super) fn scanners(workers: &[Worker]) -> Vec<&Worker> {
    let as_there = |worker: &&Worker| {
        let offers = |name| units_of(&worker.capacity_map, name);
        worker.status == "running" && offers("scan") == 1 && offers("scanCheck") == 1
    };
    workers.iter().filter(as_there).collect()
}

/// Has all workers but one take no jobs that need scan or scanCheck, while something is done: it
/// gets the one.
pub(super) async fn with_one_scanner<T>(
    stage: &Stage<'_>,
    play: impl AsyncFnOnce(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let live = live(stage).await?;
    let one = scanners(&live).first().map(|worker| worker.id.clone());
    let one = one.ok_or_else(|| Failure::Late("there is no worker that scans".to_owned()))?;
    let needed = |worker: &&Worker| {
        ["scan", "scanCheck"].iter().any(|name| units_of(&worker.capacity_map, name) > 0)
    };
    let others: Vec<&Worker> = live.iter().filter(needed).filter(|it| it.id != one).collect();
    for other in &others {
        stage.api.command(&format!("/workers/{}/drain", other.id)).await?;
    }
    let played = async {
        for other in &others {
            until(stage, &other.id, "is drained", |worker| worker.status == "draining").await?;
        }
        play(&one).await
    };
    let played = played.await;
    // Whatever came of it: nobody else would.
    for other in &others {
        stage.api.command(&format!("/workers/{}/resume", other.id)).await?;
    }
    for other in &others {
        until(stage, &other.id, "is resumed", |worker| worker.status == "running").await?;
    }
    played
}

/// A worker's map with one unit more, which no other worker has.
pub(super) fn with_chosen(worker: &Worker) -> Units {
    let mut units = worker.capacity_map.clone().unwrap_or_default();
    units.insert(CHOSEN.to_owned(), 1);
    Some(units)
}

/// Has a worker offer something else.
pub(super) async fn offer(stage: &Stage<'_>, worker: &str, map: &Units) -> Result<(), Failure> {
    let body = json!({"capacityMap": map}).to_string();
    stage.api.post_text(&format!("/workers/{worker}/capacity"), body).await.map(drop)
}

/// Waits until a worker offers what it was told to.
pub(super) async fn offers(stage: &Stage<'_>, worker: &str, map: &Units) -> Result<(), Failure> {
    until(stage, worker, "offers what it was told to", |worker| worker.capacity_map == *map).await
}

async fn until(
    stage: &Stage<'_>,
    id: &str,
    what: &str,
    is_so: impl Fn(&Worker) -> bool,
) -> Result<(), Failure> {
    let look = async || {
        let worker: Worker = stage.api.get(&format!("/workers/{id}")).await?;
        Ok(is_so(&worker).then_some(()))
    };
    stage.until(&format!("worker {id} {what}"), look).await
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
    fn the_demo_needs_two_workers_that_scan_and_all_must_know_its_actions() {
        let good = || worker("running", 1, &["push"]);
        assert_eq!(why_not_ready(&[good(), good(), worker("running", 8, &["push"])]), None);
        for other in [worker("draining", 1, &["push"]), worker("running", 2, &["push"])] {
            assert!(why_not_ready(&[good(), other]).unwrap().ends_with("there are 1"));
        }
        let ignorant = worker("running", 1, &["sleep"]);
        assert!(why_not_ready(&[good(), good(), ignorant]).unwrap().contains("does not know"));
    }
}
