//! Rate limits, judged by when jobs started.

use domain::job::JobId;

use super::violations::Violations;
use crate::actions::PACED;
use crate::observations::Observations;

const LIMITED: &str = "no more jobs start than a rate limit allows";

/// Checks that in no time more jobs started than the burst and what the rate allows in it.
pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    let (key, rate, burst) = PACED;
    let is_paced = |key_of_job: &str| key_of_job == key;
    let jobs = observations.jobs.values();
    let paced = jobs.filter(|job| job.spec.locks.rates().any(|(key, _)| is_paced(key)));
    let mut starts: Vec<(i64, JobId)> =
        paced.filter_map(|job| Some((job.started_at?.ms(), job.id))).collect();
    starts.sort_unstable();
    let interval_ms = 1_000.0 / f64::from(rate);
    let mut restored_at = f64::NEG_INFINITY;
    for (at, id) in starts {
        restored_at = restored_at.max(at as f64) + interval_ms;
        let early_ms = restored_at - f64::from(burst) * interval_ms - at as f64;
        if early_ms > 0.5 {
            violations.add(LIMITED, format!("{id} started {early_ms} ms too early"));
        }
    }
}
