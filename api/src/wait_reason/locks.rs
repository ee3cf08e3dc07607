//! Why a job waits for locks: the holders of a lock, the jobs ahead of it, a pause. The limits of
//! actions and classes are locks too.

use domain::job::{Job, Status};
use domain::lock::LockName;
use store::{Holder, Lock, Store, StoreError};

use super::rates;
use super::reason::Reason;

/// How many holders a message names.
const MAX_NAMED: usize = 3;

/// Returns the reason of a job whose action or class is paused.
pub(super) fn paused(name: &LockName) -> Reason {
    Reason::new("paused", format!("{} is paused", name.as_str().replacen(':', " ", 1)))
}

/// Returns the reason of a job in the wait queues of these locks: the first one that is busy.
pub(super) async fn queued(
    store: &Store,
    job: &Job,
    names: &[LockName],
) -> Result<Reason, StoreError> {
    for name in names {
        if let Some(reason) = busy(store, job, name).await? {
            return Ok(reason);
        }
    }
    let Some(name) = names.first() else {
        return Ok(Reason::new("lock", "it will start in a moment"));
    };
    Ok(match name.rate_key() {
        Some(key) => Reason::new("rate", format!("{key} allows its start in a moment")),
        None => {
            Reason::new("lock", format!("lock {name} is free, and the job will get it in a moment"))
        }
    })
}

/// Returns the reason of a job that is offered to workers, if claiming it would find a lock busy.
pub(super) async fn unavailable(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    let limits = [LockName::of_action(&job.spec.action), LockName::of_class(&job.class)];
    let own = job.spec.locks.iter().map(|(name, _)| name);
    for name in own.chain(&limits) {
        let reason = busy(store, job, name).await?;
        if reason.is_some() {
            return Ok(reason);
        }
    }
    Ok(None)
}

/// Returns the reason if a job cannot have a lock or a start under a rate limit now.
async fn busy(store: &Store, job: &Job, name: &LockName) -> Result<Option<Reason>, StoreError> {
    let need = needed(job, name);
    if let Some(key) = name.rate_key() {
        return rates::busy(store, job, (name, key), need).await;
    }
    let (permits, _) = store.permits(name).await?;
    if permits.is_none() {
        return Ok(None);
    }
    let lock = store.lock(name).await?;
    let ahead = store.waiters_ahead(name, job).await?.unwrap_or(lock.waiting);
    Ok(busy_lock(&lock, need, ahead).map(|message| Reason::new("lock", message)))
}

fn needed(job: &Job, name: &LockName) -> u32 {
    let own = job.spec.locks.iter().find(|(own, _)| *own == name);
    own.map_or(1, |(_, permits)| permits)
}

/// Returns why a job cannot get this many permits of a lock; `None` if it can.
fn busy_lock(lock: &Lock, need: u32, ahead: u64) -> Option<String> {
    let permits = lock.permits?;
    let label = label(&lock.name);
    if lock.paused {
        return Some(format!("{label} is paused"));
    }
    if need > permits {
        let s = if permits == 1 { "" } else { "s" };
        return Some(format!("it needs {need} permits of {label}, which has {permits} permit{s}"));
    }
    if need <= permits.saturating_sub(lock.held) && ahead == 0 {
        return None;
    }
    let mut message = match lock.held {
        0 => format!("{label} is free"),
        held if permits == 1 => format!("{label} is held by {}", holders(lock, held)),
        held => {
            let needs =
                if need == 1 { String::new() } else { format!("it needs {need} permits: ") };
            let holders = holders(lock, held);
            format!("{needs}{held} of the {permits} permits of {label} are held by {holders}")
        }
    };
    if ahead > 0 {
        message.push_str(&format!("; {ahead} ahead of it in the wait queue"));
    }
    Some(message)
}

fn label(name: &LockName) -> String {
    match name.is_reserved() {
        true => format!("the limit of {}", name.as_str().replacen(':', " ", 1)),
        false => format!("lock {name}"),
    }
}

fn holders(lock: &Lock, held: u32) -> String {
    let name = |holder: &Holder| {
        let job = &holder.job;
        let stops = if job.status == Status::CancelRequest { ", which is stopping" } else { "" };
        format!("job {} ({}){stops}", job.number, job.id)
    };
    let named: Vec<String> = lock.holders.iter().take(MAX_NAMED).map(name).collect();
    match (named.is_empty(), lock.holders.len().saturating_sub(MAX_NAMED)) {
        // The records of the holders have been removed since.
        (true, _) => format!("{held} jobs that have just finished"),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    }
}
