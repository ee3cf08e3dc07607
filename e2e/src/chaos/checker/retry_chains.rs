//! Retry chains: every acknowledged job, with its follow-ups, reaches exactly one outcome, and one
//! that its kind allows.

use std::collections::HashMap;

use domain::job::{Job, JobId, OnWorkerLost, Status};

use super::violations::Violations;
use crate::observations::Observations;
use crate::workload::{self, Expectation, OF_A_CRON};

/// After the death of so many workers in a row, a job is given up.
const MAX_CRASHES: u32 = 3;

const FINISHED: &str = "an acknowledged job reaches one final status";
const ONE_FOLLOW_UP: &str = "a job has at most one follow-up";
const GIVEN_UP: &str = "a job that kills its workers is given up";
const ALLOWED: &str = "a job ends with an allowed outcome";

pub(super) fn check(observations: &Observations, violations: &mut Violations) {
    for (id, expectation) in &observations.ledger.jobs {
        let chain = observations.chain(*id);
        match chain[..] {
            [] if expectation.kind.outcomes.contains(&Status::Deleted) => {}
            [] => {
                let details = format!("{id} ({}) has no record", expectation.kind.name);
                violations.add(FINISHED, details);
            }
            [.., last] => check_outcome(expectation, &chain, last, violations),
        }
    }
    check_records(observations, violations);
    for head in observations.chain_heads() {
        check_job_of_a_cron(observations, head, violations);
    }
}

/// Checks that every record is final, and has at most one follow-up, which names it.
pub(super) fn check_records(observations: &Observations, violations: &mut Violations) {
    let mut follow_ups: HashMap<JobId, JobId> = HashMap::new();
    for job in observations.jobs.values() {
        if job.crashes > MAX_CRASHES {
            violations.add(GIVEN_UP, format!("{} after {} crashes", job.id, job.crashes));
        }
        if !job.status.is_final() {
            violations.add(FINISHED, format!("{} is {} after the drain", job.id, job.status));
        }
        if job.retry_from == job.id {
            continue;
        }
        if let Some(other) = follow_ups.insert(job.retry_from, job.id) {
            let details = format!("{} has {other} and {}", job.retry_from, job.id);
            violations.add(ONE_FOLLOW_UP, details);
        }
        let names_it = |of: &Job| of.follow_up == Some(job.id) || of.status == Status::Deleted;
        if !observations.jobs.get(&job.retry_from).is_some_and(names_it) {
            let details = format!("{} does not name {}", job.retry_from, job.id);
            violations.add(ONE_FOLLOW_UP, details);
        }
    }
}

/// Checks a job that no client submitted.
fn check_job_of_a_cron(observations: &Observations, job: &Job, violations: &mut Violations) {
    let kind = job.spec.cron.as_ref().and_then(|_| workload::named(OF_A_CRON));
    let Some(kind) = kind else { return };
    let chain = observations.chain(job.id);
    if let Some(last) = chain.last() {
        check_outcome(&Expectation { kind, retries: 0 }, &chain, last, violations);
    }
}

fn check_outcome(
    expectation: &Expectation,
    chain: &[&Job],
    last: &Job,
    violations: &mut Violations,
) {
    let Expectation { kind, retries } = expectation;
    let id = chain.first().map_or(last.id, |first| first.id);
    let mut add = |problem: String| {
        let jobs: Vec<String> =
            chain.iter().map(|job| format!("{} {}", job.id, job.status)).collect();
        let details = format!("{id} ({}): {problem}; {}", kind.name, jobs.join(" → "));
        violations.add(ALLOWED, details);
    };
    let errors = chain.iter().filter(|job| job.status == Status::Error).count() as u32;
    let requested = kind.requested_retries();
    if errors > (retries + 1) * (requested + 1) {
        add(format!("{errors} attempts failed, {retries} retries are allowed"));
    }
    let worker_died = matches!(last.status, Status::WorkerDead | Status::WorkerResurrection);
    if worker_died && last.spec.on_worker_lost == OnWorkerLost::Retry {
        if last.crashes < MAX_CRASHES {
            add(format!("it has no follow-up after {} crashes", last.crashes));
        }
        return;
    }
    let exception = last.exception.as_ref();
    if !kind.outcomes.contains(&last.status) {
        let message = exception.map(|exception| exception.message.as_str()).unwrap_or_default();
        return add(format!("it ended as {} {message}", last.status));
    }
    if last.status == Status::Error && requested == 0 && errors != retries + 1 {
        add(format!("{errors} attempts failed, {retries} retries are allowed"));
    }
    let exception = exception.map(|exception| exception.kind.as_str());
    if last.status == Status::Error && kind.exception.is_some() && exception != kind.exception {
        add(format!("it ended with the exception {exception:?}"));
    }
}
