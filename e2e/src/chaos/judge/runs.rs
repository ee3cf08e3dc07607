//! What the jobs themselves wrote down, against what the store says of them.

use std::collections::HashMap;

use shared::job::{Job, JobId, Status};

use super::Findings;
use crate::evidence::Evidence;
use crate::history::History;
use crate::trace::{ACTION, LOG_LINES, Run};

const ONE_RUN: &str = "2: at most one run per job id and token";
const OVERLAP: &str = "2: a job is carried on only after it ended, or its lease was lost";
const RAN: &str = "1: what is recorded is what ran";
const EARLY: &str = "no job starts before it is due";
const LOG: &str = "the log of a job is whole";

/// Runs of a chain that were alive at the same time: only possible when a lease was lost.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Overlaps {
    pub(crate) count: usize,
    pub(crate) longest_ms: i64,
}

pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) -> Overlaps {
    let mut by_job: HashMap<JobId, Vec<&Run>> = HashMap::new();
    for run in &evidence.runs {
        by_job.entry(run.id).or_default().push(run);
    }
    for (id, runs) in &by_job {
        if let [first, second, ..] = runs[..] {
            let (one, other, count) = (first.token, second.token, runs.len());
            findings.add(ONE_RUN, format!("{id} began {count} times, tokens {one} and {other}"));
        }
        match evidence.jobs.get(id) {
            None => findings.add(RAN, format!("{id} ran and has no record")),
            Some(job) => recorded(job, runs[0], findings),
        }
    }
    for job in evidence.jobs.values().filter(|job| job.spec.action.as_str() == ACTION) {
        let ended = by_job.get(&job.id).and_then(|runs| runs[0].end.as_ref());
        let how = ended.map(|(_, how)| how.as_str());
        let exit = job.exception.as_ref().is_some_and(|exception| exception.kind == "ExitCode");
        let expected = (job.status == Status::Done).then_some("well");
        let expected = expected.or((job.status == Status::Error && exit).then_some("badly"));
        if expected.is_some() && how != expected {
            findings.add(RAN, format!("{} is {}, its run ended {how:?}", job.id, job.status));
        }
        if job.status == Status::Done {
            whole_log(evidence, job, findings);
        }
    }
    overlaps(evidence, &by_job, findings)
}

fn recorded(job: &Job, run: &Run, findings: &mut Findings) {
    if job.token != Some(run.token) {
        let said = job.token;
        findings.add(ONE_RUN, format!("{} ran with token {}, it has {said:?}", job.id, run.token));
    }
    if run.start_us / 1000 < job.scheduled_at.ms() {
        findings.add(
            EARLY,
            format!("{} was due {} and began {}", job.id, job.scheduled_at, run.start_us),
        );
    }
}

fn whole_log(evidence: &Evidence, job: &Job, findings: &mut Findings) {
    let Some(shared::store::Dumped::Hash(fields)) = evidence.world.get(&format!("job:{}", job.id))
    else {
        return;
    };
    let lines = fields.get("logLines").and_then(|lines| lines.parse::<u64>().ok()).unwrap_or(0);
    if lines != LOG_LINES {
        findings.add(LOG, format!("{} has {lines} lines, not {LOG_LINES}", job.id));
    }
}

fn overlaps(
    evidence: &Evidence,
    by_job: &HashMap<JobId, Vec<&Run>>,
    findings: &mut Findings,
) -> Overlaps {
    let mut seen = Overlaps::default();
    for first in evidence.firsts() {
        let chain = evidence.chain(first.id);
        let runs: Vec<(&Job, &Run)> =
            chain.iter().filter_map(|job| Some((*job, by_job.get(&job.id)?[0]))).collect();
        for (place, (job, run)) in runs.iter().enumerate() {
            let Some((end_us, _)) = run.end else { continue };
            for (other, later) in &runs[place + 1..] {
                let ms = (end_us - later.start_us) / 1000;
                if end_us <= later.start_us {
                    continue;
                }
                seen.count += 1;
                seen.longest_ms = seen.longest_ms.max(ms);
                let lost = matches!(job.status, Status::WorkerDead | Status::WorkerResurrection);
                if !lost {
                    let what =
                        format!("{} ({}) ran {ms} ms beside {}", job.id, job.status, other.id);
                    findings.add(OVERLAP, what);
                }
            }
        }
    }
    seen
}

/// From the loss of a worker until each job that it ran then ran elsewhere, ms, sorted.
#[derive(Debug, Default)]
pub(crate) struct Recoveries {
    /// All of them.
    pub(crate) all_ms: Vec<i64>,
    /// Those while nothing but workers was broken.
    pub(crate) undisturbed_ms: Vec<i64>,
}

pub(super) fn recoveries(evidence: &Evidence, history: &History) -> Recoveries {
    let mut starts: HashMap<JobId, i64> = HashMap::new();
    for run in &evidence.runs {
        starts.entry(run.id).or_insert(run.start_us);
    }
    let mut recoveries = Recoveries::default();
    for loss in history.losses() {
        let held = evidence.runs.iter().filter(|run| {
            let ended = run.end.as_ref().is_some_and(|(end, _)| *end < loss.at_us);
            run.worker_pid == loss.pid && run.start_us < loss.at_us && !ended
        });
        for run in held {
            let Some(job) = evidence.jobs.get(&run.id) else { continue };
            let again = evidence.chain(job.id).into_iter().skip(1);
            let again = again.filter_map(|job| starts.get(&job.id)).min().copied();
            let Some(start_us) = again.filter(|_| job.status == Status::WorkerDead) else {
                continue;
            };
            let ms = (start_us - loss.at_us) / 1000;
            recoveries.all_ms.push(ms);
            if history.is_undisturbed(loss.at_us, start_us) {
                recoveries.undisturbed_ms.push(ms);
            }
        }
    }
    recoveries.all_ms.sort_unstable();
    recoveries.undisturbed_ms.sort_unstable();
    recoveries
}
