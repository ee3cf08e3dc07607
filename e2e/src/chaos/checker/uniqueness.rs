//! What must exist only once: the jobs of an idempotency key, the unfinished job of a unique key,
//! and the job of a cron's tick.

use std::collections::{BTreeMap, BTreeSet};

use domain::cron::Cause;
use domain::job::Job;

use super::violations::Violations;
use crate::observations::Observations;

const IDEMPOTENCY: &str = "an Idempotency-Key creates its jobs once";
const UNIQUE_KEY: &str = "a unique key has at most one unfinished job";
const ONE_JOB: &str = "a firing creates one job";
const NOT_MISSED: &str = "no firing is missed";

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    check_idempotency(observations, violations);
    check_unique_keys(observations, violations);
    check_firings(observations, violations);
}

fn check_idempotency(observations: &Observations, violations: &mut Violations) {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for job in observations.chain_heads() {
        let comment = job.spec.comment.as_deref();
        if let Some(mark) = comment.filter(|comment| comment.starts_with("once ")) {
            *counts.entry(mark).or_default() += 1;
        }
    }
    for (mark, count) in counts.iter().filter(|(_, count)| **count > 1) {
        violations.add(IDEMPOTENCY, format!("{count} jobs with the comment {mark:?}"));
    }
}

fn check_unique_keys(observations: &Observations, violations: &mut Violations) {
    let mut jobs_by_key: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for job in observations.jobs.values() {
        if let Some(key) = &job.spec.unique_key {
            jobs_by_key.entry(key).or_default().push(job);
        }
    }
    for (key, mut jobs) in jobs_by_key {
        jobs.sort_by_key(|job| job.number);
        for pair in jobs.windows(2) {
            if pair[0].finished_at.is_none_or(|end| pair[1].created_at < end) {
                let (first, second) = (pair[0].id, pair[1].id);
                let details = format!("{key}: {second} was created before {first} had finished");
                violations.add(UNIQUE_KEY, details);
            }
        }
    }
}

fn check_firings(observations: &Observations, violations: &mut Violations) {
    let mut ticks_by_cron: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for job in observations.chain_heads() {
        let firing = job.spec.cron.as_ref();
        if let Some(firing) = firing.filter(|firing| firing.cause == Cause::Tick) {
            let ticks = ticks_by_cron.entry(firing.cron.to_string()).or_default();
            ticks.push(firing.tick.ms() / 1000);
        }
    }
    for (cron, ticks) in ticks_by_cron {
        let seconds: BTreeSet<i64> = ticks.iter().copied().collect();
        if seconds.len() != ticks.len() {
            let count = ticks.len() - seconds.len();
            violations.add(ONE_JOB, format!("{cron}: {count} ticks have more than one job"));
        }
        let (first, last) = (seconds.first().copied(), seconds.last().copied());
        for tick in first.unwrap_or(0)..last.unwrap_or(0) {
            if !seconds.contains(&tick) {
                violations.add(NOT_MISSED, format!("{cron}: no job for the tick {tick}"));
            }
        }
    }
}
