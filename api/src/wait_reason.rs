//! Why a job waits, from the state of the store at this moment. It only reads, and the answer may
//! be outdated a moment later.

mod locks;
mod reason;
mod relations;
mod workers;

use domain::job::{Job, Status};
use store::{Store, StoreError, WaitPosition};

pub(crate) use reason::{CODES, Reason};
pub(crate) use workers::count_fitting;

/// Returns why the job waits; `None` if it does not wait.
pub(crate) async fn wait_reason(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    if job.status != Status::Waiting {
        return Ok(None);
    }
    let reason = match store.wait_position(job).await? {
        WaitPosition::Nowhere => return Ok(None),
        WaitPosition::Children(open) => return Ok(Some(relations::children(open))),
        WaitPosition::Dependencies(on) => relations::dependencies(store, job, on).await?,
        WaitPosition::Due => due(job),
        WaitPosition::Paused(name) => locks::paused(&name),
        WaitPosition::Locks(lines) => locks::queued(store, job, &lines).await?,
        WaitPosition::Backlog(ahead) => match no_worker(store, job).await? {
            Some(reason) => reason,
            None => Reason::new("fairness", format!("{ahead} ahead of it in its fairness group")),
        },
        WaitPosition::Offered(ahead) => match no_worker(store, job).await? {
            Some(reason) => reason,
            None => match locks::unavailable(store, job).await? {
                Some(reason) => reason,
                None => Reason::new("queue", format!("{ahead} ahead of it")),
            },
        },
    };
    Ok(Some(with_expiry(job, reason)))
}

async fn no_worker(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    Ok(workers::no_worker(&job.class, &job.spec.action, &store.workers().await?))
}

fn due(job: &Job) -> Reason {
    let mut message = format!("due at {}", job.scheduled_at);
    // A job that continues after the loss of a worker is due at once, so this one failed.
    if job.retry_from != job.id {
        message.push_str(&format!(", after a back-off: it is attempt {}", job.attempt));
    }
    Reason::new("due", message)
}

fn with_expiry(job: &Job, mut reason: Reason) -> Reason {
    if let Some(at) = job.spec.expires_at {
        reason.message.push_str(&format!("; it expires at {at}"));
    }
    reason
}
