//! Rate limits, judged by when jobs started.

use std::collections::BTreeMap;

use domain::job::JobId;

use super::violations::Violations;
use crate::actions::{COUNTED, PACED};
use crate::observations::Observations;

const LIMITED: &str = "no more jobs start than a rate limit allows";
const MINUTE_MS: i64 = 60_000;

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    check_spaced(observations, violations);
    check_calendar(observations, violations);
}

/// Checks that in no time more jobs started than the burst and what the rate allows in it.
fn check_spaced(observations: &Observations, violations: &mut Violations) {
    let (key, rate, burst) = PACED;
    let interval_ms = 1_000.0 / f64::from(rate);
    let mut restored_at = f64::NEG_INFINITY;
    for (at, id) in starts(observations, key) {
        restored_at = restored_at.max(at as f64) + interval_ms;
        let early_ms = restored_at - f64::from(burst) * interval_ms - at as f64;
        if early_ms > 0.5 {
            violations.add(LIMITED, format!("{id} started {early_ms} ms too early"));
        }
    }
}

/// Checks that no more jobs started in any minute than its quota.
fn check_calendar(observations: &Observations, violations: &mut Violations) {
    let (key, quota) = COUNTED;
    let mut started: BTreeMap<i64, u32> = BTreeMap::new();
    for (at, _) in starts(observations, key) {
        *started.entry(at.div_euclid(MINUTE_MS)).or_default() += 1;
    }
    for (minute, count) in started.into_iter().filter(|(_, count)| *count > quota) {
        let details = format!("{count} jobs started in minute {minute}, {quota} are allowed");
        violations.add(LIMITED, details);
    }
}

/// When jobs started under a key, in order.
fn starts(observations: &Observations, key: &str) -> Vec<(i64, JobId)> {
    let jobs = observations.jobs.values();
    let limited = jobs.filter(|job| job.spec.locks.rates().any(|(own, _)| own == key));
    let mut starts: Vec<(i64, JobId)> =
        limited.filter_map(|job| Some((job.started_at?.ms(), job.id))).collect();
    starts.sort_unstable();
    starts
}
