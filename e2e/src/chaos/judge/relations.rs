//! Dependencies: nothing begins before what it depends on is over, and what cannot succeed ends what depends on it.

use domain::job::{Job, Status, When};

use super::Findings;
use crate::evidence::Evidence;

const EARLY: &str = "a job begins when all that it depends on are over";
const FAILED: &str = "a job fails with what it depends on, and only then";

pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) {
    let known = evidence.jobs.values().filter(|job| job.status != Status::Deleted);
    for job in known.filter(|job| !job.spec.depends_on.is_empty() && job.retry_from == job.id) {
        let chains = job.spec.depends_on.iter().map(|on| evidence.chain(*on));
        let ends: Option<Vec<&Job>> = chains.map(|chain| chain.last().copied()).collect();
        // One that was deleted and has left the store says nothing more.
        let Some(ends) = ends else { continue };
        one(evidence, job, &ends, findings);
    }
}

fn one(evidence: &Evidence, job: &Job, ends: &[&Job], findings: &mut Findings) {
    for end in ends {
        let late = match (job.started_at, end.finished_at) {
            (Some(started), Some(finished)) => finished > started,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if late {
            let what = format!("{} began before {} ({}) was over", job.id, end.id, end.status);
            findings.add(EARLY, what);
        }
    }
    let bad = ends.iter().any(|end| end.status != Status::Done);
    let ran = job.started_at.is_some();
    let why = job.exception.as_ref().map(|exception| exception.kind.as_str());
    let failed = why == Some("DependencyFailed") || (!ran && job.status == Status::Cancel);
    let wrong = if job.spec.when == When::Finished { failed } else { bad != failed };
    let cancelled = evidence.book.cancelled_us.contains_key(&job.id);
    if wrong && !cancelled {
        let ends: Vec<String> = ends.iter().map(|end| end.status.to_string()).collect();
        findings.add(FAILED, format!("{} is {} after {}", job.id, job.status, ends.join(", ")));
    }
}
