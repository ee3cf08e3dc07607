//! Why a job waits, from the state of the store at this moment. It only reads, and the answer may
//! be outdated a moment later.

mod locks;
mod rates;
mod reason;
mod relations;
mod workers;

use domain::access_tokens::Role;
use domain::job::{Job, Status};
use futures_util::{StreamExt, TryStreamExt, stream};
use store::{FleetHealth, Store, StoreError, WaitPosition, Worker};
use tokio::sync::OnceCell;

use crate::outage::outage;

pub(crate) use reason::{CODES, Reason};
pub(crate) use workers::count_able;

/// Why a job waits for a queue.
const NO_QUEUE: &str =
    "the namespace has as many queues as it may have; the job is tried again every 5 s";

/// How many jobs are examined at once.
const CONCURRENT: usize = 8;

/// Returns why the job waits; `None` if it does not wait.
pub(crate) async fn wait_reason(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    reason(store, &Fleet::default(), job).await
}

/// Returns why each job waits. The state of the fleet is read once.
pub(crate) async fn wait_reasons(
    store: &Store,
    jobs: &[Job],
) -> Result<Vec<Option<Reason>>, StoreError> {
    let fleet = Fleet::default();
    let reasons: Vec<_> = jobs.iter().map(|job| reason(store, &fleet, job)).collect();
    stream::iter(reasons).buffered(CONCURRENT).try_collect().await
}

/// The state of the fleet, once it is read.
#[derive(Default)]
struct Fleet {
    workers: OnceCell<Vec<Worker>>,
    health: OnceCell<FleetHealth>,
}

impl Fleet {
    async fn workers(&self, store: &Store) -> Result<&[Worker], StoreError> {
        Ok(self.workers.get_or_try_init(|| store.live_workers()).await?)
    }

    async fn health(&self, store: &Store) -> Result<&FleetHealth, StoreError> {
        self.health.get_or_try_init(|| store.fleet_health()).await
    }
}

async fn reason(store: &Store, fleet: &Fleet, job: &Job) -> Result<Option<Reason>, StoreError> {
    if job.status != Status::Waiting {
        return Ok(None);
    }
    let position = store.wait_position(job).await?;
    let outage = outage_of(store, fleet, job, &position).await?;
    let reason = match position {
        WaitPosition::Nowhere => return Ok(None),
        WaitPosition::Children(open) => return Ok(Some(relations::children(open))),
        WaitPosition::Signal => return Ok(Some(signal(job))),
        WaitPosition::Dependencies(on) => relations::dependencies(store, job, on).await?,
        WaitPosition::Due => due(job),
        WaitPosition::Paused(name) => locks::paused(&name),
        WaitPosition::Locks(lines) => locks::queued(store, job, &lines).await?,
        WaitPosition::Queue => Reason::new("queue", NO_QUEUE),
        WaitPosition::Backlog { ahead, turns } => {
            backlog(job, (ahead, turns), fleet.workers(store).await?)
        }
        WaitPosition::Offered(ahead) => {
            offered(store, job, ahead, fleet.workers(store).await?).await?
        }
    };
    let reason = match outage {
        Some(outage) => Reason::new("outage", format!("{outage}; {}", reason.message)),
        None => reason,
    };
    Ok(Some(with_expiry(job, reason)))
}

/// Returns a description of the outage that keeps a job waiting, if there is one. A job that is due
/// later, or waits for a job, a signal, a lock or an operator, keeps its own reason.
async fn outage_of(
    store: &Store,
    fleet: &Fleet,
    job: &Job,
    position: &WaitPosition,
) -> Result<Option<String>, StoreError> {
    match position {
        WaitPosition::Nowhere
        | WaitPosition::Children(_)
        | WaitPosition::Signal
        | WaitPosition::Dependencies(_)
        | WaitPosition::Paused(_)
        | WaitPosition::Locks(_) => Ok(None),
        WaitPosition::Due
        | WaitPosition::Queue
        | WaitPosition::Backlog { .. }
        | WaitPosition::Offered(_) => {
            let health = fleet.health(store).await?;
            Ok(if job.scheduled_at > health.now { None } else { outage(health) })
        }
    }
}

/// Returns the reason of a job in the backlog of its fairness group.
fn backlog(job: &Job, (ahead, turns): (u64, Option<u64>), workers: &[Worker]) -> Reason {
    if let Some(reason) = workers::no_worker(&job.class, &job.spec.action, workers) {
        return reason;
    }
    let turn = match turns {
        None => String::new(),
        Some(0) => "; its group is the next of its submitter's".to_owned(),
        Some(1) => "; 1 other group of its submitter has its turn first".to_owned(),
        Some(turns) => format!("; {turns} other groups of its submitter have their turn first"),
    };
    match workers::few_workers(job, workers) {
        Some(few) => {
            let ahead = jobs(ahead);
            Reason::new("action", format!("{few}; {ahead} of its fairness group ahead of it{turn}"))
        }
        None => Reason::new("fairness", format!("{ahead} ahead of it in its fairness group{turn}")),
    }
}

/// Returns the reason of a job that is offered to workers.
async fn offered(
    store: &Store,
    job: &Job,
    ahead: u64,
    workers: &[Worker],
) -> Result<Reason, StoreError> {
    if let Some(reason) = workers::no_worker(&job.class, &job.spec.action, workers) {
        return Ok(reason);
    }
    if let Some(reason) = locks::unavailable(store, job).await? {
        return Ok(reason);
    }
    Ok(match workers::few_workers(job, workers) {
        Some(few) => Reason::new("action", format!("{few}; {} ahead of it", jobs(ahead))),
        None => match workers::gathering(job, workers).filter(|_| ahead == 0) {
            Some(message) => Reason::new("gathering", message),
            None => Reason::new("queue", format!("{ahead} ahead of it")),
        },
    })
}

fn jobs(count: u64) -> String {
    match count {
        0 => "no jobs".to_owned(),
        1 => "1 job".to_owned(),
        count => format!("{count} jobs"),
    }
}

fn due(job: &Job) -> Reason {
    let mut message = format!("due at {}", job.scheduled_at);
    // A job that continues after the loss of a worker is due at once, so this one failed.
    if job.retry_from != job.id {
        message.push_str(&format!(", after a back-off: it is attempt {}", job.attempt));
    }
    Reason::new("due", message)
}

/// Returns the reason of a job that waits for a signal.
fn signal(job: &Job) -> Reason {
    let Some(awaited) = &job.awaited_signal else {
        return Reason::new("signal", "it continues in a moment");
    };
    let mut message = format!("it waits for the signal {}", awaited.name);
    if awaited.role == Some(Role::Admin) {
        message.push_str(" of an admin");
    }
    if let Some(until) = awaited.until {
        message.push_str(&format!(" until {until}"));
    }
    Reason::new("signal", message)
}

fn with_expiry(job: &Job, mut reason: Reason) -> Reason {
    if let Some(at) = job.spec.expires_at {
        reason.message.push_str(&format!("; it expires at {at}"));
    }
    reason
}
