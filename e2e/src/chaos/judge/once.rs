//! What must be there once, and in its time: jobs of one key, of one firing, retries, what expires, and what must not
//! be carried on.

use std::collections::{BTreeMap, BTreeSet};

use domain::cron::Cause;
use domain::job::{Job, OnWorkerLost, Span, Status};

use super::Findings;
use crate::evidence::Evidence;

const KEYED: &str = "7: one submission under an Idempotency-Key";
const UNIQUE: &str = "7: one job at a time has a unique key";
const FIRED: &str = "4: one firing, one job";
const MISSED: &str = "4: no firing is missed";
const EXPIRED: &str = "a job that expired does not run";
const NOT_TWICE: &str = "what must not run twice is not carried on";
const BACK_OFF: &str = "a retry waits as long as it should";

/// The longest that a retry waits unless something else was said.
const LONGEST_MS: u64 = 300_000;

pub(super) fn judge(evidence: &Evidence, findings: &mut Findings) {
    marks(evidence, findings);
    unique(evidence, findings);
    firings(evidence, findings);
    for job in evidence.jobs.values() {
        let begun = job.started_at.filter(|_| job.attempt == 1);
        if let (Some(begun), Some(expires)) = (begun, job.spec.expires_at)
            && begun >= expires
        {
            findings.add(EXPIRED, format!("{} began {begun}, it expired {expires}", job.id));
        }
        let kind = job.exception.as_ref().map(|exception| exception.kind.as_str());
        if kind == Some("Expired") && job.finished_at < job.spec.expires_at {
            findings.add(EXPIRED, format!("{} ended before it expired", job.id));
        }
        let lost = [Status::WorkerDead, Status::WorkerShutdown, Status::WorkerResurrection];
        let fails = job.spec.on_worker_lost == OnWorkerLost::Fail && lost.contains(&job.status);
        if fails && job.follow_up.is_some() {
            findings.add(NOT_TWICE, format!("{} is {} and has a follow-up", job.id, job.status));
        }
        back_off(evidence, job, findings);
    }
}

fn marks(evidence: &Evidence, findings: &mut Findings) {
    let mut made: BTreeMap<&str, u32> = BTreeMap::new();
    for job in evidence.firsts() {
        let mark = job.spec.comment.as_deref().filter(|comment| comment.starts_with("once "));
        if let Some(mark) = mark {
            *made.entry(mark).or_default() += 1;
        }
    }
    for (mark, count) in made.iter().filter(|(_, count)| **count > 1) {
        findings.add(KEYED, format!("{count} jobs of one submission: {mark}"));
    }
}

fn unique(evidence: &Evidence, findings: &mut Findings) {
    let mut lives: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for job in evidence.jobs.values() {
        if let Some(key) = &job.spec.unique_key {
            lives.entry(key).or_default().push(job);
        }
    }
    for (key, mut jobs) in lives {
        jobs.sort_by_key(|job| job.number);
        for pair in jobs.windows(2) {
            if pair[0].finished_at.is_none_or(|end| pair[1].created_at < end) {
                let (first, second) = (pair[0].id, pair[1].id);
                findings.add(UNIQUE, format!("{key}: {second} was made before {first} was over"));
            }
        }
    }
}

fn firings(evidence: &Evidence, findings: &mut Findings) {
    let mut ticks: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for job in evidence.firsts() {
        let Some(firing) = job.spec.cron.as_ref().filter(|of| of.cause == Cause::Tick) else {
            continue;
        };
        ticks.entry(firing.cron.to_string()).or_default().push(firing.tick.ms() / 1000);
    }
    for (cron, all) in ticks {
        let seconds: BTreeSet<i64> = all.iter().copied().collect();
        if seconds.len() != all.len() {
            let more = all.len() - seconds.len();
            findings.add(FIRED, format!("{cron}: {more} ticks have more than one job"));
        }
        let (first, last) = (seconds.first().copied(), seconds.last().copied());
        for tick in first.unwrap_or(0)..last.unwrap_or(0) {
            if !seconds.contains(&tick) {
                findings.add(MISSED, format!("{cron}: nothing was made for {tick}"));
            }
        }
    }
}

/// Between a half and the whole of what was said, which doubles with each try.
fn back_off(evidence: &Evidence, job: &Job, findings: &mut Findings) {
    let next = job.follow_up.and_then(|id| evidence.jobs.get(&id));
    let (Some(said), Some(next), Some(end)) = (&job.spec.backoff, next, job.finished_at) else {
        return;
    };
    if job.status != Status::Error || next.status == Status::Deleted {
        return;
    }
    let ms = |span: &Span| span.duration().map(|time| time.as_millis() as u64);
    let base = ms(&said.base).unwrap_or(1_000);
    let most = ms(&said.max).unwrap_or(LONGEST_MS);
    let longest = most.min(base << (job.attempt - 1).min(16)) as i64;
    let waits = next.scheduled_at.ms() - end.ms();
    if waits < longest / 2 - 1 || waits > longest + 1 {
        findings.add(BACK_OFF, format!("{} waits {waits} ms of {longest}", next.id));
    }
}
