//! Routing: how many workers live and what they know, which queues are in use, and the queue of
//! each waiting job.

use std::collections::{BTreeMap, BTreeSet};

use domain::queue::QueueName;
use store::Dumped;

use super::state::{Fields, Jobs, World, compare, counts};

/// Returns what disagrees.
pub(super) fn disagreements(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let routing = counts(world, "routing");
    let queues: BTreeSet<&str> =
        routing.keys().filter_map(|field| field.strip_prefix("queue:")).collect();
    let mut wanted = live_workers(world);
    wanted.extend(counts_by_kind(&queues));
    let mut found = routing.clone();
    found.retain(|field, _| !field.starts_with("queue:") && !field.starts_with("window:"));
    compare(&mut wrong, "routing", &found, &wanted);
    for queue in &queues {
        if queue.parse::<QueueName>().map(|name| name.to_string()).as_deref() != Ok(*queue) {
            wrong.push(format!("{queue} is in use, and is not the name of a queue"));
        }
    }
    wrong.extend(wide_windows(&routing, &queues));
    if let Some(Dumped::Hash(owners)) = world.get("queue_owners") {
        let strays = owners.keys().filter(|queue| !queues.contains(queue.as_str()));
        wrong.extend(strays.map(|queue| format!("{queue} has an owner and is not in use")));
    }
    let needed = needed_queues(world);
    let unused = needed.iter().filter(|(_, queue)| !queues.contains(queue.as_str()));
    wrong.extend(unused.map(|(key, queue)| format!("{key} needs queue {queue}, not in use")));
    wrong.extend(outbox(world));
    for (id, job) in jobs {
        if job.get("actionQueue").is_some_and(|value| value != "1") {
            wrong.push(format!("actionQueue of {id} is {:?}", job["actionQueue"]));
        }
    }
    wrong
}

/// How many workers live, and how many of them know each action. A worker that drains lives.
fn live_workers(world: &World) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (key, value) in world {
        let Dumped::Hash(worker) = value else { continue };
        let lives = worker.get("status").is_some_and(|status| status == "running");
        if !key.starts_with("worker:") || !lives {
            continue;
        }
        *counts.entry("workers".to_owned()).or_default() += 1;
        let actions = worker.get("actions").map(String::as_str).unwrap_or_default();
        for action in actions.split(',').filter(|action| !action.is_empty()) {
            *counts.entry(format!("knows:{action}")).or_default() += 1;
        }
    }
    counts
}

/// Finds windows that are wider than usual by another size than a doubled one, or of no queue.
fn wide_windows(routing: &BTreeMap<String, u64>, queues: &BTreeSet<&str>) -> Vec<String> {
    let wrong = routing.iter().filter_map(|(field, size)| {
        let queue = field.strip_prefix("window:")?;
        let is_right = [128, 256, 512, 1024].contains(size) && queues.contains(queue);
        (!is_right).then(|| format!("the window of {queue} is {size}"))
    });
    wrong.collect()
}

/// How many queues of each kind there are. A kind of which there is none has no count.
fn counts_by_kind(queues: &BTreeSet<&str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for queue in queues {
        let kind = if queue.contains('@') { "action_queues" } else { "shared_queues" };
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}

/// The queues in which jobs wait, or of which something is recorded, each with the key that says
/// so. The jobs in them are compared with the records by the checks of `waiting`.
fn needed_queues(world: &World) -> Vec<(String, String)> {
    let mut needed = Vec::new();
    for key in world.keys() {
        let queue = match key.split_once(':') {
            Some(("ready", queue)) => queue,
            // The name of a queue has no colon.
            Some(("backlog", group)) => group.split(':').next().unwrap_or_default(),
            _ => continue,
        };
        needed.push((key.clone(), queue.to_owned()));
    }
    for key in ["parked", "claimed_up_to"] {
        needed.extend(counts(world, key).into_keys().map(|queue| (key.to_owned(), queue)));
    }
    needed
}

/// Finds entries of the outbox that do not say what an offer needs. The record may differ: the job
/// may have moved to another queue since, or another job may have its id by now.
fn outbox(world: &World) -> Vec<String> {
    let Some(Dumped::Stream(entries)) = world.get("outbox") else { return Vec::new() };
    let is_whole = |entry: &&Fields| {
        let names: Vec<&str> = entry.keys().map(String::as_str).collect();
        let queue = entry.get("queue").map(|name| name.parse::<QueueName>());
        names == ["job", "number", "queue", "scheduledAt"] && matches!(queue, Some(Ok(_)))
    };
    let wrong = entries.iter().filter(|entry| !is_whole(entry));
    wrong.map(|entry| format!("the outbox has the entry {entry:?}")).collect()
}
