//! What was asked to end has ended: a cancel that was acknowledged holds whatever died since, and so does a delete.

use std::collections::HashMap;

use domain::job::{JobId, Status};
use store::Dumped;

use super::Findings;
use crate::evidence::Evidence;
use crate::history::History;

const CANCELLED: &str = "6: a cancel that was acknowledged holds";
const IN_TIME: &str = "6: a running job is stopped in time";
const DELETED: &str = "6: a delete that was acknowledged holds";

/// It is told within a second; the rest is for a busy machine.
const TOLD_MS: i64 = 2_500;

/// Judges; returns how long the runs of cancelled jobs went on, ms, sorted.
pub(super) fn judge(evidence: &Evidence, history: &History, findings: &mut Findings) -> Vec<i64> {
    for (id, asked_us) in &evidence.book.cancelled_us {
        let Some(job) = evidence.jobs.get(id) else { continue };
        let asked_ms = asked_us / 1000;
        let mut wrong = |what: &str| {
            findings.add(CANCELLED, format!("{id} ({}, asked at {asked_us}) {what}", job.status));
        };
        if job.started_at.is_some_and(|at| at.ms() > asked_ms) {
            wrong("was claimed after it");
        }
        if job.finished_at.is_none_or(|at| at.ms() <= asked_ms) {
            continue;
        }
        if job.token.is_none() {
            wrong("was waiting, and did not end at once");
        }
        if !matches!(job.status, Status::Cancel | Status::Done | Status::Error) {
            wrong("ended otherwise");
        }
        if job.follow_up.is_some() {
            wrong("is carried on");
        }
    }
    for id in &evidence.book.deleted {
        if evidence.jobs.get(id).is_none_or(|job| job.status != Status::Deleted) {
            findings.add(DELETED, format!("{id} has no tombstone"));
        }
    }
    let tombstones = evidence.jobs.values().filter(|job| job.status == Status::Deleted);
    for id in tombstones.map(|job| job.id) {
        if evidence.world.contains_key(&format!("log:{id}")) {
            findings.add(DELETED, format!("{id} has a log"));
        }
        for (key, value) in &evidence.world {
            let text = id.to_string();
            let listed = match value {
                Dumped::Set(members) => members.contains(&text),
                Dumped::Sorted(members) => members.contains_key(&text),
                Dumped::Text(_) | Dumped::Hash(_) | Dumped::List(_) | Dumped::Stream(_) => false,
            };
            if listed && !key.starts_with("cron_jobs") {
                findings.add(DELETED, format!("{id} is in {key}"));
            }
        }
    }
    latencies(evidence, history, findings)
}

fn latencies(evidence: &Evidence, history: &History, findings: &mut Findings) -> Vec<i64> {
    let stopped = evidence.runs.iter().filter_map(|run| {
        let (end_us, how) = run.end.as_ref()?;
        (how == "stopped").then_some((run.id, *end_us))
    });
    let stopped: HashMap<JobId, i64> = stopped.collect();
    let mut all = Vec::new();
    for (id, asked_us) in &evidence.book.cancelled_us {
        let Some(end_us) = stopped.get(id).filter(|end| *end > asked_us) else { continue };
        let ms = (end_us - asked_us) / 1000;
        if history.is_calm(*asked_us, asked_us + TOLD_MS * 1000) {
            all.push(ms);
            if ms > TOLD_MS {
                findings.add(IN_TIME, format!("{id} went on for {ms} ms"));
            }
        }
    }
    all.sort_unstable();
    all
}
