//! Dependencies: no job starts before its dependencies have finished, and a job fails exactly if
//! one of them did not succeed.

use domain::job::{DependencyCondition, Job, Status};

use super::violations::Violations;
use crate::observations::Observations;

const EARLY: &str = "a job starts after all of its dependencies have finished";
const FAILED: &str = "a job fails if and only if a dependency fails";

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    let known = observations.jobs.values().filter(|job| job.status != Status::Deleted);
    for job in known.filter(|job| !job.spec.depends_on.is_empty() && job.retry_from == job.id) {
        let chains = job.spec.depends_on.iter().map(|on| observations.chain(*on));
        let dependencies: Option<Vec<&Job>> = chains.map(|chain| chain.last().copied()).collect();
        // A dependency that was deleted and has left the store decides nothing.
        if let Some(dependencies) = dependencies {
            check_job(observations, job, &dependencies, violations);
        }
    }
}

fn check_job(
    observations: &Observations,
    job: &Job,
    dependencies: &[&Job],
    violations: &mut Violations,
) {
    for dependency in dependencies {
        let is_early = match (job.started_at, dependency.finished_at) {
            (Some(started), Some(finished)) => finished > started,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_early {
            let (id, status) = (dependency.id, dependency.status);
            violations.add(EARLY, format!("{} started before {id} ({status}) ended", job.id));
        }
    }
    let must_fail = dependencies.iter().any(|dependency| dependency.status != Status::Done);
    let exception = job.exception.as_ref().map(|exception| exception.kind.as_str());
    let never_ran = job.started_at.is_none();
    let failed =
        exception == Some("DependencyFailed") || (never_ran && job.status == Status::Cancel);
    let is_wrong =
        if job.spec.when == DependencyCondition::Finished { failed } else { must_fail != failed };
    let cancelled = observations.ledger.cancelled_us.contains_key(&job.id);
    if is_wrong && !cancelled {
        let statuses: Vec<String> =
            dependencies.iter().map(|dependency| dependency.status.to_string()).collect();
        let statuses = statuses.join(", ");
        violations.add(FAILED, format!("{} is {} after {statuses}", job.id, job.status));
    }
}
