//! Cancelled and deleted jobs: what the API has acknowledged holds, whatever fails afterwards.

use std::collections::HashMap;

use domain::job::{JobId, Status};
use store::Dumped;

use super::violations::Violations;
use crate::history::History;
use crate::job_command::STOPPED;
use crate::observations::Observations;

const CANCELLED: &str = "an acknowledged cancellation holds";
const IN_TIME: &str = "a cancelled run is stopped in time";
const DELETED: &str = "an acknowledged deletion holds";

/// A worker is notified within a second; the rest is for a busy machine.
const CANCEL_LIMIT_MS: i64 = 2_500;

/// Checks cancelled and deleted jobs. Returns how long cancelled runs went on, sorted.
pub(super) fn check(
    observations: &Observations,
    history: &History,
    violations: &mut Violations,
) -> Vec<i64> {
    check_cancelled(observations, violations);
    check_deleted(observations, violations);
    check_latencies(observations, history, violations)
}

fn check_cancelled(observations: &Observations, violations: &mut Violations) {
    for (id, cancelled_us) in &observations.ledger.cancelled_us {
        let Some(job) = observations.jobs.get(id) else { continue };
        let cancelled_ms = cancelled_us / 1000;
        let mut add = |problem: &str| {
            let status = job.status;
            let details = format!("{id} ({status}), cancelled at {cancelled_us}, {problem}");
            violations.add(CANCELLED, details);
        };
        if job.started_at.is_some_and(|at| at.ms() > cancelled_ms) {
            add("was claimed afterwards");
        }
        if job.finished_at.is_none_or(|at| at.ms() <= cancelled_ms) {
            continue;
        }
        if job.token.is_none() {
            add("was waiting and did not end at once");
        }
        if !matches!(job.status, Status::Cancel | Status::Done | Status::Error) {
            add("ended with another status");
        }
        if job.follow_up.is_some() {
            add("has a follow-up");
        }
    }
}

fn check_deleted(observations: &Observations, violations: &mut Violations) {
    for id in &observations.ledger.deleted {
        if observations.jobs.get(id).is_none_or(|job| job.status != Status::Deleted) {
            violations.add(DELETED, format!("{id} has no tombstone"));
        }
    }
    let tombstones = observations.jobs.values().filter(|job| job.status == Status::Deleted);
    for id in tombstones.map(|job| job.id) {
        if observations.dump.contains_key(&format!("log:{id}")) {
            violations.add(DELETED, format!("{id} has a log"));
        }
        for (key, value) in &observations.dump {
            let text = id.to_string();
            let is_listed = match value {
                Dumped::Set(members) => members.contains(&text),
                Dumped::Sorted(members) => members.contains_key(&text),
                Dumped::Text(_) | Dumped::Hash(_) | Dumped::List(_) | Dumped::Stream(_) => false,
            };
            if is_listed && !key.starts_with("cron_jobs") {
                violations.add(DELETED, format!("{id} is in {key}"));
            }
        }
    }
}

fn check_latencies(
    observations: &Observations,
    history: &History,
    violations: &mut Violations,
) -> Vec<i64> {
    let stopped = observations.runs.iter().filter_map(|run| {
        let (end_us, outcome) = run.end.as_ref()?;
        (outcome == STOPPED).then_some((run.id, *end_us))
    });
    let stopped: HashMap<JobId, i64> = stopped.collect();
    let mut latencies_ms = Vec::new();
    for (id, cancelled_us) in &observations.ledger.cancelled_us {
        let end_us = stopped.get(id).filter(|end_us| *end_us > cancelled_us);
        let Some(end_us) = end_us else { continue };
        if !history.is_calm(*cancelled_us, cancelled_us + CANCEL_LIMIT_MS * 1000) {
            continue;
        }
        let ms = (end_us - cancelled_us) / 1000;
        latencies_ms.push(ms);
        if ms > CANCEL_LIMIT_MS {
            violations.add(IN_TIME, format!("{id} ran for {ms} ms after its cancellation"));
        }
    }
    latencies_ms.sort_unstable();
    latencies_ms
}
