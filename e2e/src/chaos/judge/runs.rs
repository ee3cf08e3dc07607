//! What the jobs themselves wrote down, against what the store says of them.

use std::collections::HashMap;

use domain::job::{Job, JobId, Status};

use super::Findings;
use crate::evidence::Evidence;
use crate::history::{History, Lost};
use crate::trace::{LOG_LINES, Run, is_traced};

const ONE_RUN: &str = "2: at most one run per job id and token";
const OVERLAP: &str = "2: a job is carried on only after it ended, or its lease was lost";
const STRICT: &str = "2: a strict job never runs beside what carries it on";
const RAN: &str = "1: what is recorded is what ran";
const EARLY: &str = "no job starts before it is due";
const LOG: &str = "the log of a job is whole";

/// What a busy machine may take to stop a command whose lease is over.
const STRICT_MS: i64 = 300;

/// Runs of a chain that were alive at the same time: only possible when a lease was lost.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Overlaps {
    pub(crate) count: usize,
    pub(crate) longest_ms: i64,
}

pub(super) fn judge(evidence: &Evidence, history: &History, findings: &mut Findings) -> Overlaps {
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
    for job in evidence.jobs.values().filter(|job| is_traced(job)) {
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
    overlaps(evidence, history, &by_job, findings)
}

fn recorded(job: &Job, run: &Run, findings: &mut Findings) {
    // A tombstone has lost its token.
    if job.token != Some(run.token) && job.status != Status::Deleted {
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
    let Some(store::Dumped::Hash(fields)) = evidence.world.get(&format!("job:{}", job.id)) else {
        return;
    };
    let lines = fields.get("logLines").and_then(|lines| lines.parse::<u64>().ok()).unwrap_or(0);
    if lines != LOG_LINES {
        findings.add(LOG, format!("{} has {lines} lines, not {LOG_LINES}", job.id));
    }
}

fn overlaps(
    evidence: &Evidence,
    history: &History,
    by_job: &HashMap<JobId, Vec<&Run>>,
    findings: &mut Findings,
) -> Overlaps {
    let mut seen = Overlaps::default();
    let losses = history.losses();
    // Nobody can stop what the worker started when the worker itself stands still.
    let frozen = |run: &Run| {
        losses.iter().any(|loss| loss.pid == run.worker_pid && loss.how == Lost::Frozen)
    };
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
                let dead = [Status::WorkerDead, Status::WorkerResurrection, Status::Deleted];
                let lost = dead.contains(&job.status);
                if job.spec.strict_lease && ms > STRICT_MS && !frozen(run) {
                    let what = format!("{} ran {ms} ms beside {}", job.id, other.id);
                    findings.add(STRICT, what);
                }
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
