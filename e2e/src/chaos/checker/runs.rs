//! Runs as the commands recorded them, compared with the records of their jobs.

use std::collections::HashMap;

use domain::job::{Job, JobId, Status};
use store::Dumped;

use super::violations::Violations;
use crate::actions::{ACTION, is_recorded};
use crate::history::{History, LossCause};
use crate::job_command::{FAILED, LOG_LINES, RecordedRun, SUCCEEDED};
use crate::observations::Observations;

const ONE_RUN: &str = "at most one run per job id and token";
pub(super) const NO_OVERLAP: &str = "a follow-up starts after its job ended or its worker was lost";
pub(super) const STRICT: &str = "a job with a strict lease never runs beside its follow-up";
const RECORDED: &str = "what is recorded is what ran";
const NOT_EARLY: &str = "no job starts before its scheduled time";
const COMPLETE_LOG: &str = "the log of a job is complete";

/// The time that a busy machine may take to stop a command whose lease has expired.
pub(super) const STRICT_TOLERANCE_MS: i64 = 300;

/// Runs of one retry chain that overlapped, which only a lost lease allows.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Overlaps {
    pub(crate) count: usize,
    pub(crate) longest_ms: i64,
}

type RunsByJob<'a> = HashMap<JobId, Vec<&'a RecordedRun>>;

pub(super) fn check(
    observations: &Observations,
    history: &History,
    violations: &mut Violations,
) -> Overlaps {
    let mut runs_by_job: RunsByJob<'_> = HashMap::new();
    for run in &observations.runs {
        runs_by_job.entry(run.id).or_default().push(run);
    }
    for (id, runs) in &runs_by_job {
        if let [first, second, ..] = runs[..] {
            let (count, first, second) = (runs.len(), first.token, second.token);
            violations.add(ONE_RUN, format!("{id} has {count} runs, tokens {first} and {second}"));
        }
        match observations.jobs.get(id) {
            None => violations.add(RECORDED, format!("{id} ran and has no record")),
            Some(job) => check_run(job, runs[0], violations),
        }
    }
    for job in observations.jobs.values().filter(|job| is_recorded(job)) {
        check_record(observations, job, &runs_by_job, violations);
    }
    check_overlaps(observations, history, &runs_by_job, violations)
}

fn check_run(job: &Job, run: &RecordedRun, violations: &mut Violations) {
    // The record of a deleted job has no token.
    if job.token != Some(run.token) && job.status != Status::Deleted {
        let details = format!("{} ran with {}, its record has {:?}", job.id, run.token, job.token);
        violations.add(ONE_RUN, details);
    }
    if run.start_us / 1000 < job.scheduled_at.ms() {
        let (scheduled, started) = (job.scheduled_at, run.start_us);
        let details = format!("{} was scheduled at {scheduled}, started at {started}", job.id);
        violations.add(NOT_EARLY, details);
    }
}

fn check_record(
    observations: &Observations,
    job: &Job,
    runs_by_job: &RunsByJob<'_>,
    violations: &mut Violations,
) {
    let end = runs_by_job.get(&job.id).and_then(|runs| runs[0].end.as_ref());
    let recorded = end.map(|(_, outcome)| outcome.as_str());
    let exited = job.exception.as_ref().is_some_and(|exception| exception.kind == "ExitCode");
    let succeeded = (job.status == Status::Done).then_some(SUCCEEDED);
    let expected = succeeded.or((job.status == Status::Error && exited).then_some(FAILED));
    if expected.is_some() && recorded != expected {
        violations.add(RECORDED, format!("{} is {}, its run: {recorded:?}", job.id, job.status));
    }
    let fields = match observations.dump.get(&format!("job:{}", job.id)) {
        Some(Dumped::Hash(fields)) if job.status == Status::Done => fields,
        _ => return,
    };
    let lines = fields.get("logLines").and_then(|lines| lines.parse::<u64>().ok()).unwrap_or(0);
    if lines != LOG_LINES {
        let details = format!("{} has {lines} of {LOG_LINES} lines", job.id);
        violations.add(COMPLETE_LOG, details);
    }
}

fn check_overlaps(
    observations: &Observations,
    history: &History,
    runs_by_job: &RunsByJob<'_>,
    violations: &mut Violations,
) -> Overlaps {
    let mut overlaps = Overlaps::default();
    let losses = history.losses();
    // A frozen worker cannot stop its commands.
    let was_frozen = |run: &RecordedRun| {
        let mut of_worker = losses.iter().filter(|loss| loss.pid == run.worker_pid);
        of_worker.any(|loss| loss.cause == LossCause::Frozen)
    };
    for head in observations.chain_heads() {
        let chain = observations.chain(head.id);
        let runs = chain.iter().filter_map(|job| Some((*job, runs_by_job.get(&job.id)?[0])));
        let runs: Vec<(&Job, &RecordedRun)> = runs.collect();
        for (index, (job, run)) in runs.iter().enumerate() {
            let Some((end_us, _)) = run.end else { continue };
            let later = runs[index + 1..].iter().filter(|(_, later)| end_us > later.start_us);
            for (follow_up, later) in later {
                let ms = (end_us - later.start_us) / 1000;
                overlaps.count += 1;
                overlaps.longest_ms = overlaps.longest_ms.max(ms);
                let details =
                    format!("{} ({}) ran {ms} ms beside {}", job.id, job.status, follow_up.id);
                if job.spec.strict_lease && ms > STRICT_TOLERANCE_MS && !was_frozen(run) {
                    violations.add(STRICT, &details);
                }
                let lost = [Status::WorkerDead, Status::WorkerResurrection, Status::Deleted];
                if !lost.contains(&job.status) {
                    violations.add(NO_OVERLAP, details);
                }
            }
        }
    }
    overlaps
}

/// The times from the loss of a worker until each of its jobs ran elsewhere, sorted.
#[derive(Debug, Default)]
pub(crate) struct Recoveries {
    /// All of them.
    pub(crate) all_ms: Vec<i64>,
    /// Those during which only single workers were disrupted.
    pub(crate) undisturbed_ms: Vec<i64>,
}

pub(super) fn recoveries(observations: &Observations, history: &History) -> Recoveries {
    let mut starts: HashMap<JobId, i64> = HashMap::new();
    for run in &observations.runs {
        starts.entry(run.id).or_insert(run.start_us);
    }
    let mut recoveries = Recoveries::default();
    for loss in history.losses() {
        let interrupted = observations.runs.iter().filter(|run| {
            let ended = run.end.as_ref().is_some_and(|(end_us, _)| *end_us < loss.at_us);
            run.worker_pid == loss.pid && run.start_us < loss.at_us && !ended
        });
        for run in interrupted {
            let job = observations.jobs.get(&run.id);
            // Only few workers know another action: its jobs may have to wait for a restart.
            let is_measured =
                |job: &&Job| job.status == Status::WorkerDead && job.spec.action.as_str() == ACTION;
            let Some(job) = job.filter(is_measured) else { continue };
            let follow_ups = observations.chain(job.id).into_iter().skip(1);
            let restart = follow_ups.filter_map(|job| starts.get(&job.id)).min();
            let Some(restart_us) = restart.copied() else { continue };
            let ms = (restart_us - loss.at_us) / 1000;
            recoveries.all_ms.push(ms);
            if history.has_no_shared_disruption(loss.at_us, restart_us) {
                recoveries.undisturbed_ms.push(ms);
            }
        }
    }
    recoveries.all_ms.sort_unstable();
    recoveries.undisturbed_ms.sort_unstable();
    recoveries
}
