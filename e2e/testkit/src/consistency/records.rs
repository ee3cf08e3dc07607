//! Records of jobs and crons, and what is derived from them: indexes, unique keys, follow-ups, logs,
//! checkpoints, signals.

use std::collections::{BTreeMap, BTreeSet};

use domain::job::Status;
use store::Dumped;

use super::state::{Fields, Jobs, World, is_over, members, runs};

/// Returns what disagrees.
pub(super) fn disagreements(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = indexes(world, jobs);
    wrong.extend(unique_keys(world, jobs));
    wrong.extend(follow_ups_and_logs(world, jobs));
    for (prefix, field) in KEYS_OF_CHAINS {
        wrong.extend(keys_of_chains(world, jobs, prefix, field));
    }
    wrong.extend(signals(jobs));
    wrong
}

/// Compares each index with the records.
fn indexes(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |index: String, expected: BTreeSet<&str>| {
        let found = members(world, &index);
        for id in expected.symmetric_difference(&found) {
            let verb = if found.contains(id) { "should not be" } else { "is missing" };
            wrong.push(format!("{id} {verb} in {index}"));
        }
    };
    let having = |field: &str, value: &str| -> BTreeSet<&str> {
        let of = jobs.iter().filter(|(_, job)| job.get(field).is_some_and(|found| found == value));
        of.map(|(id, _)| *id).collect()
    };
    check("jobs:number".into(), jobs.keys().copied().collect());
    for status in Status::ALL {
        check(format!("jobs:status:{status}"), having("status", status.as_str()));
    }
    for action in values(jobs, "action") {
        check(format!("jobs:action:{action}"), having("action", &action));
    }
    for worker in values(jobs, "workerID") {
        check(format!("jobs:worker:{worker}"), having("workerID", &worker));
        let running = having("workerID", &worker).into_iter().filter(|id| runs(jobs[id]));
        check(format!("running:{worker}"), running.collect());
    }
    let crons = world.keys().filter_map(|key| key.strip_prefix("cron:"));
    check("cron_names".into(), crons.collect());
    check("crons".into(), firing_crons(world));
    let expires =
        |job: &Fields| match (job.contains_key("awaitsChildren"), job.get("awaitedSignal")) {
            // The job was started in time.
            (true, _) => false,
            (false, Some(_)) => job.contains_key("signalUntil"),
            (false, None) => job.contains_key("expiresAt"),
        };
    let expiring = jobs.iter().filter(|(_, job)| job["status"] == "waiting" && expires(job));
    check("expiring".into(), expiring.map(|(id, _)| *id).collect());
    wrong
}

/// Compares the holders of unique keys with the records.
fn unique_keys(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, value) in world {
        let Some(unique) = key.strip_prefix("unique:") else { continue };
        let Dumped::Text(holder) = value else { continue };
        let has_it = |job: &&BTreeMap<String, String>| {
            !is_over(job) && job.get("uniqueKey").is_some_and(|key| key == unique)
        };
        if jobs.get(holder.as_str()).copied().filter(has_it).is_none() {
            let message = "whose record does not have it";
            wrong.push(format!("unique key {unique} belongs to {holder}, {message}"));
        }
    }
    for (id, job) in jobs.iter().filter(|(_, job)| !is_over(job)) {
        let Some(unique) = job.get("uniqueKey") else { continue };
        let holder = Dumped::Text((*id).to_owned());
        if world.get(&format!("unique:{unique}")) != Some(&holder) {
            wrong.push(format!("unique key {unique} does not belong to {id}, whose record has it"));
        }
    }
    wrong
}

/// Compares records with their follow-ups and their logs.
fn follow_ups_and_logs(world: &World, jobs: &Jobs<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, job) in jobs {
        let Some(next) = job.get("followUpID") else { continue };
        let follows = jobs.get(next.as_str()).and_then(|next| next.get("retryFromID"));
        // The follow-up may be deleted, or removed from the history.
        if follows.is_some_and(|from| from != id) {
            wrong.push(format!("{id} names {next} as its follow-up, which follows another job"));
        }
        if !is_over(job) {
            wrong.push(format!("{id} has a follow-up and is not over"));
        }
    }
    for id in world.keys().filter_map(|key| key.strip_prefix("log:")) {
        if !jobs.contains_key(id) {
            wrong.push(format!("{id} has a log and no record"));
        }
    }
    for (id, _) in jobs.iter().filter(|(_, job)| !job.contains_key("spec")) {
        wrong.push(format!("{id} has no spec"));
    }
    wrong
}

/// Keys of which only the newest record of a chain has one, and the field that says so.
const KEYS_OF_CHAINS: [(&str, &str); 3] =
    [("checkpoint:", "checkpointed"), ("signal:", "signal"), ("signals:", "signalledAt")];

/// Compares records with such keys.
fn keys_of_chains(world: &World, jobs: &Jobs<'_>, prefix: &str, field: &str) -> Vec<String> {
    let found: BTreeSet<&str> = world.keys().filter_map(|key| key.strip_prefix(prefix)).collect();
    let expected = jobs.iter().filter(|(_, job)| job.contains_key(field));
    let expected: BTreeSet<&str> = expected.map(|(id, _)| *id).collect();
    let mut wrong = Vec::new();
    for id in expected.symmetric_difference(&found) {
        let what = if found.contains(id) { "that" } else { "is missing, which" };
        wrong.push(format!("{prefix}{id} {what} its record does not say"));
    }
    for id in expected {
        let job = jobs[id];
        if job.contains_key("followUpID") && job["status"] != "done" {
            wrong.push(format!("{prefix}{id} should belong to its follow-up"));
        }
    }
    wrong
}

/// Checks that a job that waits for a signal knows how it continues, and that no other does.
fn signals(jobs: &Jobs<'_>) -> Vec<String> {
    let waits = |job: &Fields| job["status"] == "waiting" && job.contains_key("awaitedSignal");
    let wrong = jobs.iter().filter(|(_, job)| waits(job) != job.contains_key("continuesAs"));
    wrong.map(|(id, _)| format!("{id} waits for a signal without a follow-up, or not")).collect()
}

/// Returns the crons that are not paused and have a next tick or a held firing.
fn firing_crons(world: &World) -> BTreeSet<&str> {
    let fires = |name: &str, cron: &BTreeMap<String, String>| {
        let has_next = cron.get("nextRun").is_some_and(|next| !next.is_empty());
        let held = world.contains_key(&format!("cron_held:{name}"));
        cron.get("paused").is_some_and(|paused| paused == "0") && (has_next || held)
    };
    let crons = world.iter().filter_map(|(key, value)| match value {
        Dumped::Hash(cron) => Some((key.strip_prefix("cron:")?, cron)),
        Dumped::Text(_)
        | Dumped::Set(_)
        | Dumped::Sorted(_)
        | Dumped::List(_)
        | Dumped::Stream(_) => None,
    });
    crons.filter(|(name, cron)| fires(name, cron)).map(|(name, _)| name).collect()
}

fn values(jobs: &BTreeMap<&str, &BTreeMap<String, String>>, field: &str) -> BTreeSet<String> {
    jobs.values().filter_map(|job| job.get(field).cloned()).collect()
}
