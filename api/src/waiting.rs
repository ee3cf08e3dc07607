//! Why a job waits, from what the store says now. It decides nothing: it only looks, and may be
//! outdated the moment after.

mod fleet;
mod locks;
mod others;

use shared::job::{Job, Status};
use shared::store::{Place, Store, StoreError, Worker};

/// Why a job waits, as a code and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// One of [`CODES`].
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
}

impl Reason {
    fn new(code: &'static str, message: impl Into<String>) -> Reason {
        Reason { code, message: message.into() }
    }
}

/// Every code there is.
pub(crate) const CODES: [&str; 10] = [
    "due",
    "dependency",
    "children",
    "paused",
    "lock",
    "share",
    "capacity",
    "action",
    "draining",
    "queue",
];

/// Why the job waits; `None` when it does not, or not any more.
pub(crate) async fn reason(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    if job.status != Status::Waiting {
        return Ok(None);
    }
    let reason = match store.place(job).await? {
        Place::Nowhere => return Ok(None),
        Place::Awaiting(open) => return Ok(Some(others::of_children(open))),
        Place::Dependent(on) => others::of_dependent(store, job, on).await?,
        Place::Due => of_due(job),
        Place::Paused(name) => locks::of_paused(&name),
        Place::InLine(lines) => locks::of_parked(store, job, &lines).await?,
        Place::Behind(ahead) => match nobody(store, job).await? {
            Some(nobody) => nobody,
            None => Reason::new("share", format!("{ahead} of its own share ahead of it")),
        },
        Place::Ready(ahead) => match nobody(store, job).await? {
            Some(nobody) => nobody,
            None => match locks::of_offered(store, job).await? {
                Some(busy) => busy,
                None => Reason::new("queue", format!("{ahead} ahead of it")),
            },
        },
    };
    Ok(Some(expiring(job, reason)))
}

/// How many live workers there are that a class fits into.
pub(crate) fn count_fitting(class: &shared::capacity::Class, workers: &[Worker]) -> usize {
    let need = class.need();
    let live = workers.iter().filter(|worker| fleet::is_live(worker));
    live.filter(|worker| worker.capacity_map.fits(&need) > 0).count()
}

async fn nobody(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    Ok(fleet::nobody(&job.class, &job.spec.action, &store.workers().await?))
}

fn of_due(job: &Job) -> Reason {
    let mut message = format!("due at {}", job.scheduled_at);
    // What carries on after the loss of a worker is due at once, so this was a failure.
    if job.retry_from != job.id {
        message.push_str(&format!(", after a back-off: it is attempt {}", job.attempt));
    }
    Reason::new("due", message)
}

fn expiring(job: &Job, mut reason: Reason) -> Reason {
    if let Some(at) = job.spec.expires_at {
        reason.message.push_str(&format!("; it expires at {at}"));
    }
    reason
}
