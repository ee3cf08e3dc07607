//! Order: jobs that are due at the same moment start in the order of their submission.
//!
//! This holds exactly for jobs of one batch that share class, action, priority, time and fairness
//! group, wait for nothing else, and fit on one worker only, if they are fewer than a group may
//! have offered at a time. They become ready in one step, so one scheduler offers them in order
//! through one queue. Several workers would start them in their order only on average, because
//! each holds some offers. It does not hold while something is broken or paused: then offers are
//! lost, made again, or returned late.

use std::collections::{BTreeMap, HashMap};

use domain::job::{Job, JobId, Priority, Status, Timestamp};

use super::violations::Violations;
use crate::fleet::only_worker_for;
use crate::history::{History, LossCause};
use crate::observations::Observations;
use crate::workload::PROBE;

const IN_ORDER: &str = "jobs of one moment start in the order of their submission";

/// How long after the loss of its process a worker may start jobs in another order.
const LOSS_US: i64 = 2_000_000;

/// How many batches were judged.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) judged: usize,
    /// Those that were not, because something was broken or paused.
    pub(crate) disturbed: usize,
}

/// What the jobs of a batch have in common.
type Batch<'a> = (&'a str, &'a str, Priority, &'a str, Timestamp, Timestamp);

/// The position of a start among all events.
type Starts = HashMap<JobId, usize>;

pub(super) fn check(
    observations: &Observations,
    history: &History,
    violations: &mut Violations,
) -> Order {
    let starts = starts(observations);
    let mut batches: BTreeMap<Batch<'_>, Vec<&Job>> = BTreeMap::new();
    for job in observations.jobs.values() {
        if let Some(batch) = batch_of(job) {
            batches.entry(batch).or_default().push(job);
        }
    }
    let mut order = Order::default();
    for mut jobs in batches.into_values() {
        jobs.sort_by_key(|job| job.number);
        if is_disturbed(observations, history, &jobs) {
            order.disturbed += 1;
        } else {
            order.judged += 1;
            check_batch(&jobs, &starts, violations);
        }
    }
    order
}

/// Returns the batch of a job whose order is certain, if it is of one.
fn batch_of(job: &Job) -> Option<Batch<'_>> {
    let spec = &job.spec;
    let waits_only_for_its_time =
        spec.locks.is_empty() && spec.depends_on.is_empty() && spec.parent.is_none();
    only_worker_for(&job.class.need()).filter(|_| waits_only_for_its_time)?;
    let group = spec.fairness_key.as_deref()?;
    let (class, action) = (job.class.as_str(), spec.action.as_str());
    // A follow-up was created at another time, so it is of another batch.
    Some((class, action, spec.priority, group, job.scheduled_at, job.created_at))
}

/// Whether something that changes the order overlaps the time from when the jobs were due until the
/// last of them started. Jobs of the probe are never disturbed.
fn is_disturbed(observations: &Observations, history: &History, jobs: &[&Job]) -> bool {
    let ran_once = |job: &&&Job| job.status == Status::Done && job.retry_from == job.id;
    if jobs.iter().filter(ran_once).count() < jobs.len() {
        return true;
    }
    if jobs.iter().all(|job| job.spec.comment.as_deref() == Some(PROBE)) {
        return false;
    }
    let Some(worker) = only_worker_for(&jobs[0].class.need()) else { return true };
    let from_us = jobs[0].created_at.max(jobs[0].scheduled_at).ms() * 1000;
    let ends = jobs.iter().filter_map(|job| job.finished_at);
    let until_us = ends.max().map_or(from_us, |end| end.ms() * 1000);
    let was_lost = history.losses().iter().any(|loss| {
        let process = observations.worker_processes.at(loss.pid, loss.at_us);
        let killed = loss.cause == LossCause::Killed;
        killed
            && process.is_some_and(|(_, process)| process.name == worker)
            && loss.at_us < until_us
            && from_us < loss.at_us + LOSS_US
    });
    was_lost || !history.keeps_order(worker, from_us, until_us)
}

fn check_batch(jobs: &[&Job], starts: &Starts, violations: &mut Violations) {
    for pair in jobs.windows(2) {
        let (Some(first), Some(second)) = (starts.get(&pair[0].id), starts.get(&pair[1].id)) else {
            continue;
        };
        if second < first {
            let [first, second] =
                [pair[0], pair[1]].map(|job| format!("{} ({})", job.number, job.id));
            let (queue, due) = (pair[0].queue(), pair[0].scheduled_at);
            violations.add(IN_ORDER, format!("{second} before {first}, queue {queue}, due {due}"));
        }
    }
}

/// The position of each start among the events.
fn starts(observations: &Observations) -> Starts {
    let mut starts = Starts::new();
    for (index, event) in observations.events.iter().enumerate() {
        let field = |name: &str| event.fields.get(name).map(String::as_str).unwrap_or_default();
        if field("status") == Status::Running.as_str()
            && let Ok(id) = field("job").parse()
        {
            starts.entry(id).or_insert(index);
        }
    }
    starts
}
