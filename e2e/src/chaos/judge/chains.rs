//! Every acknowledged job, with those that carry it on, reached one end, and one that it may have.

use std::collections::HashMap;

use domain::job::{Job, JobId, OnWorkerLost, Status};

use super::Findings;
use crate::evidence::Evidence;
use crate::load::Asked;
use crate::mix::{self, OF_CRON};

/// So many workers in a row may die under a job before nothing carries it on.
const MAX_CRASHES: u32 = 3;

const LOST: &str = "1: an acknowledged job reaches one final status";
const DOUBLED: &str = "1: a job has one follow-up at most";
const LOOPED: &str = "1: a job that kills its workers ends";
const WRONG_END: &str = "1: a job ends as it should";

pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) {
    for (id, asked) in &evidence.book.jobs {
        let chain = evidence.chain(*id);
        match chain[..] {
            [] if asked.kind.ends.contains(&Status::Deleted) => {}
            [] => findings.add(LOST, format!("{id} ({}) is not there", asked.kind.name)),
            [.., last] => end(asked, &chain, last, findings),
        }
    }
    let mut carried_on: HashMap<JobId, JobId> = HashMap::new();
    for job in evidence.jobs.values() {
        if job.crashes > MAX_CRASHES {
            findings.add(LOOPED, format!("{} after {} crashes", job.id, job.crashes));
        }
        if job.retry_from == job.id && job.spec.cron.is_some() {
            let asked = mix::named(OF_CRON).map(|kind| Asked { kind, retries: 0 });
            let chain = evidence.chain(job.id);
            let ended = asked.zip(chain.last());
            ended.inspect(|(asked, last)| end(asked, &chain, last, findings));
        }
        if !job.status.is_final() {
            findings.add(LOST, format!("{} is {} after the drain", job.id, job.status));
        }
        if job.retry_from == job.id {
            continue;
        }
        if let Some(other) = carried_on.insert(job.retry_from, job.id) {
            findings.add(DOUBLED, format!("{} by {other} and {}", job.retry_from, job.id));
        }
        let known = |of: &Job| of.follow_up == Some(job.id) || of.status == Status::Deleted;
        if !evidence.jobs.get(&job.retry_from).is_some_and(known) {
            findings.add(DOUBLED, format!("{} does not know {} of itself", job.retry_from, job.id));
        }
    }
}

fn end(asked: &Asked, chain: &[&Job], last: &Job, findings: &mut Findings) {
    let id = chain.first().map_or(last.id, |first| first.id);
    let mut wrong = |what: String| {
        let shown: Vec<String> =
            chain.iter().map(|job| format!("{} {}", job.id, job.status)).collect();
        let name = asked.kind.name;
        findings.add(WRONG_END, format!("{id} ({name}): {what}; {}", shown.join(" → ")));
    };
    let errors = chain.iter().filter(|job| job.status == Status::Error).count() as u32;
    let again = asked.kind.asked_again();
    if errors > (asked.retries + 1) * (again + 1) {
        wrong(format!("{errors} tries with {} retries", asked.retries));
    }
    let dead = matches!(last.status, Status::WorkerDead | Status::WorkerResurrection);
    if dead && last.spec.on_worker_lost == OnWorkerLost::Retry {
        if last.crashes < MAX_CRASHES {
            wrong(format!("nothing carries it on after {} crashes", last.crashes));
        }
        return;
    }
    if !asked.kind.ends.contains(&last.status) {
        let exception = last.exception.as_ref().map(|exception| exception.message.as_str());
        return wrong(format!("it ended as {} {}", last.status, exception.unwrap_or("")));
    }
    if last.status == Status::Error && again == 0 && errors != asked.retries + 1 {
        wrong(format!("{errors} tries with {} retries", asked.retries));
    }
    let kind = last.exception.as_ref().map(|exception| exception.kind.as_str());
    let named = asked.kind.exception.is_some() && last.status == Status::Error;
    if named && kind != asked.kind.exception {
        wrong(format!("it ended with {kind:?}"));
    }
}
