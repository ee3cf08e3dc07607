//! The jobs and locks that a job is related to.

use domain::job::{DependencyCondition, Job, JobId, Status};
use store::{JobSummary, Store, StoreError};

use crate::web::format::count;

/// How many dependencies are shown.
const MOST_SHOWN: usize = 50;

/// A related job.
pub(super) struct Relation {
    /// How it is related.
    pub(super) role: &'static str,
    /// The id of the job.
    pub(super) id: JobId,
    /// Its number and status, if it is still kept.
    pub(super) known: Option<(u64, Status)>,
}

/// A lock that a job needs.
pub(super) struct HeldLock {
    /// The name.
    pub(super) name: String,
    /// The path of its page.
    pub(super) url: String,
    /// How many permits it needs or holds.
    pub(super) permits: u32,
    /// True if the job holds it, or held it when it finished.
    pub(super) is_held: bool,
}

/// Returns the related jobs.
pub(super) async fn read(store: &Store, job: &Job) -> Result<Vec<Relation>, StoreError> {
    let depends = match job.spec.when {
        DependencyCondition::Done => "Depends on the success of",
        DependencyCondition::Finished => "Depends on the end of",
    };
    let mut all: Vec<(&'static str, JobId)> = Vec::new();
    all.extend(job.spec.parent.map(|parent| ("Child of", parent)));
    all.extend((job.retry_from != job.id).then_some(("Retry of", job.retry_from)));
    all.extend(job.follow_up.map(|follow_up| ("Retried as", follow_up)));
    all.extend(job.spec.depends_on.iter().take(MOST_SHOWN).map(|id| (depends, *id)));
    all.extend(job.next.map(|next| ("Needed by", next)));
    let ids: Vec<JobId> = all.iter().map(|(_, id)| *id).collect();
    let found = store.related(&ids).await?;
    let relation = |(role, id)| {
        let named: Option<JobSummary> = found.get(&id).map(|related| related.named);
        Relation { role, id, known: named.map(|named| (named.number, named.status)) }
    };
    Ok(all.into_iter().map(relation).collect())
}

/// Describes the children of a job; empty if it has never had any.
pub(super) async fn children(store: &Store, job: &Job) -> Result<String, StoreError> {
    let Some(open) = store.open_children(job).await? else { return Ok(String::new()) };
    let failed = match job.failed_children {
        0 => String::new(),
        failed => format!(", {} did not succeed", count(u64::from(failed), "child")),
    };
    Ok(match open {
        0 => format!("all have finished{failed}"),
        open => format!("{open} not finished{failed}"),
    })
}

/// Returns the locks and rate limits that a job needs, and the limits whose permits it holds.
pub(super) fn locks(job: &Job) -> Vec<HeldLock> {
    let needed = job.spec.locks.iter();
    let is_needed = |name| job.spec.locks.iter().any(|(own, _)| own == name);
    let limits = job.held_locks.iter().filter(|(name, _)| !is_needed(*name));
    let lock = |(name, permits): (&domain::lock::LockName, u32)| HeldLock {
        name: name.rate_key().map_or(name.to_string(), |key| format!("rate limit {key}")),
        url: match name.rate_key() {
            Some(_) => "/locks".to_owned(),
            None => crate::web::path::lock_url(name),
        },
        permits,
        is_held: job.held_locks.iter().any(|(held, _)| held == name),
    };
    needed.chain(limits).map(lock).collect()
}
