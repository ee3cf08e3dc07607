//! Locks, judged by what ran: never more permits at once than there are, but for what a lost worker leaves running; and
//! a later holder has a larger token.

use std::collections::{BTreeMap, HashMap};

use domain::job::{Job, JobId, Status};

use super::Findings;
use crate::evidence::Evidence;
use crate::operator::LICENCES;
use crate::trace::Run;

const TOO_MANY: &str = "5: a lock has no more holders than permits";
const TOKEN: &str = "5: a later holder has a larger token";
const HELD: &str = "5: nobody holds a lock when nothing runs";

struct Holding<'a> {
    job: &'a Job,
    run: &'a Run,
    permits: u32,
}

pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) {
    let mut runs: HashMap<JobId, &Run> = HashMap::new();
    for run in &evidence.runs {
        runs.entry(run.id).or_insert(run);
    }
    let mut locks: BTreeMap<String, Vec<Holding<'_>>> = BTreeMap::new();
    for job in evidence.jobs.values() {
        let Some(run) = runs.get(&job.id) else { continue };
        for (name, permits) in job.spec.locks.iter() {
            locks.entry(name.to_string()).or_default().push(Holding { job, run, permits });
        }
    }
    for (name, mut holdings) in locks {
        holdings.sort_by_key(|holding| holding.run.start_us);
        of_one(&name, &holdings, findings);
    }
    let left = |key: &&String| key.starts_with("lock:") || key.starts_with("line:");
    for key in evidence.world.keys().filter(left) {
        findings.add(HELD, format!("{key} is still there"));
    }
}

fn of_one(name: &str, holdings: &[Holding<'_>], findings: &mut Findings) {
    let all = if name == "licence" { LICENCES } else { 1 };
    for (place, later) in holdings.iter().enumerate() {
        let before = &holdings[..place];
        let beside = before.iter().filter(|earlier| {
            let still = earlier.run.end.as_ref().is_some_and(|(end, _)| *end > later.run.start_us);
            still && !is_lost(earlier.job)
        });
        let beside: Vec<&Holding<'_>> = beside.collect();
        let held: u32 = beside.iter().map(|earlier| earlier.permits).sum();
        if held + later.permits > all {
            let others: Vec<String> =
                beside.iter().map(|one| format!("{} ({})", one.job.id, one.job.status)).collect();
            let what = format!("{name}: {} began beside {}", later.job.id, others.join(", "));
            findings.add(TOO_MANY, what);
        }
        let older = before.last().filter(|earlier| all == 1 && !is_lost(earlier.job));
        if let Some(older) = older.filter(|older| older.run.token >= later.run.token) {
            let (one, other) = (older.run.token, later.run.token);
            let what = format!("{name}: {} has {other} after {one}", later.job.id);
            findings.add(TOKEN, what);
        }
    }
}

/// What a lost worker leaves running ends when it notices. A job whose end was asked for is `cancel` or deleted then.
fn is_lost(job: &Job) -> bool {
    match job.status {
        Status::WorkerDead | Status::WorkerResurrection | Status::Cancel | Status::Deleted => true,
        Status::Waiting
        | Status::Running
        | Status::CancelRequest
        | Status::Done
        | Status::Error
        | Status::WorkerShutdown => false,
    }
}
