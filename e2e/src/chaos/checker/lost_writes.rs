//! What must hold although Redis has lost writes that it had acknowledged: no token or number is
//! issued twice, and runs of a job overlap only if its claim was lost.

use std::collections::HashMap;

use domain::job::{Job, JobId, Status};

use super::runs::{NO_OVERLAP, Overlaps, STRICT, STRICT_TOLERANCE_MS};
use super::violations::Violations;
use crate::history::{History, LossCause, Violation};
use crate::job_command::RecordedRun;
use crate::observations::Observations;

const ONE_CLAIM: &str = "a token is given to one claim";
const ONE_JOB: &str = "a number is given to one job";
const STOPPED: &str = "a run whose claim is lost is stopped";

/// The invariant of the answers of the API.
const ANSWERS: &str = "the API answers as documented";
/// How long before its command started a run may have been claimed.
const STARTING_US: i64 = 5_000_000;
/// How long a run may continue beside the next one of its job: until its worker has reached Redis
/// again and stopped it, also when that worker was frozen.
const VOID_LIMIT_MS: i64 = 30_000;

/// The violations that lost writes do not explain: the API does not know a job that it has
/// accepted.
pub(super) fn not_explained(violations: Vec<Violation>) -> Vec<Violation> {
    let internal = |violation: &Violation| violation.details.contains("was answered 5");
    let kept = |violation: &Violation| violation.invariant != ANSWERS || internal(violation);
    violations.into_iter().filter(kept).collect()
}

pub(super) fn check(
    observations: &Observations,
    history: &History,
    violations: &mut Violations,
) -> Overlaps {
    check_events(observations, violations);
    let mut claims: HashMap<u64, JobId> = HashMap::new();
    let mut runs: HashMap<JobId, Vec<&RecordedRun>> = HashMap::new();
    for run in &observations.runs {
        runs.entry(run.id).or_default().push(run);
        if let Some(other) = claims.insert(run.token.0, run.id) {
            let details = format!("{other} and {} ran with {}", run.id, run.token);
            violations.add(ONE_CLAIM, details);
        }
    }
    let mut overlaps = Overlaps::default();
    for head in observations.chain_heads() {
        let chain = observations.chain(head.id);
        let of_job = |job: JobId| runs.get(&job).into_iter().flatten().copied();
        let runs = chain.iter().flat_map(|job| of_job(job.id).map(move |run| (*job, run)));
        let mut runs: Vec<(&Job, &RecordedRun)> = runs.collect();
        runs.sort_by_key(|(_, run)| run.start_us);
        check_chain(&runs, history, &mut overlaps, violations);
    }
    overlaps
}

/// Checks the tokens and numbers of all claims and submissions, also of those that are lost.
fn check_events(observations: &Observations, violations: &mut Violations) {
    let mut claims: HashMap<&str, &str> = HashMap::new();
    let mut jobs: HashMap<&str, &str> = HashMap::new();
    for event in &observations.events {
        let field = |name: &str| event.fields.get(name).map(String::as_str);
        let (Some(id), Some(status)) = (field("job"), field("status")) else { continue };
        if let Some(token) = field("token").filter(|_| status == "running")
            && let Some(other) = claims.insert(token, id)
        {
            violations.add(ONE_CLAIM, format!("{other} and {id} were claimed with {token}"));
        }
        if let Some(number) = field("number")
            && let Some(other) = jobs.insert(number, id).filter(|other| *other != id)
        {
            violations.add(ONE_JOB, format!("{other} and {id} have the number {number}"));
        }
    }
}

/// Checks the runs of a job and its follow-ups, in the order of their starts.
fn check_chain(
    runs: &[(&Job, &RecordedRun)],
    history: &History,
    overlaps: &mut Overlaps,
    violations: &mut Violations,
) {
    let losses = history.losses();
    for (index, (job, run)) in runs.iter().enumerate() {
        let Some((end_us, _)) = run.end else { continue };
        for (later_job, later) in runs[index + 1..].iter().filter(|(_, run)| end_us > run.start_us)
        {
            let ms = (end_us - later.start_us) / 1000;
            overlaps.count += 1;
            overlaps.longest_ms = overlaps.longest_ms.max(ms);
            let details = format!(
                "{} ({}, {}) ran {ms} ms beside {} ({})",
                job.id, job.status, run.token, later_job.id, later.token
            );
            if history.has_lost_writes_in(run.start_us - STARTING_US, later.start_us) {
                if ms > VOID_LIMIT_MS {
                    violations.add(STOPPED, details);
                }
                continue;
            }
            let frozen =
                |pid| losses.iter().any(|loss| loss.pid == pid && loss.cause == LossCause::Frozen);
            if job.spec.strict_lease && ms > STRICT_TOLERANCE_MS && !frozen(run.worker_pid) {
                violations.add(STRICT, &details);
            }
            let lost = [Status::WorkerDead, Status::WorkerResurrection, Status::Deleted];
            if !lost.contains(&job.status) {
                violations.add(NO_OVERLAP, details);
            }
        }
    }
}
