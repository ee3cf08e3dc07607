//! Why a job waits for locks: who holds one, who stands before it, what is paused. The limits of
//! actions and classes are locks too.

use shared::job::{Job, Status};
use shared::lock::LockName;
use shared::store::{Lock, Store, StoreError};

use super::Reason;

/// How many holders are named.
const MOST_NAMED: usize = 3;

/// A job whose action or class is paused.
pub(super) fn of_paused(name: &LockName) -> Reason {
    Reason::new("paused", format!("{} is paused", name.as_str().replacen(':', " ", 1)))
}

/// A job that stands in the lines of these locks: the first says why that gives it no turn.
pub(super) async fn of_parked(
    store: &Store,
    job: &Job,
    lines: &[LockName],
) -> Result<Reason, StoreError> {
    let mut first = None;
    for name in lines {
        let lock = store.lock(name).await?;
        let ahead = store.ahead_in_line(name, job.id).await?.unwrap_or(0);
        if let Some(message) = busy(&lock, need(job, name), ahead) {
            return Ok(Reason::new("lock", message));
        }
        first = first.or(Some(lock.name));
    }
    let name = first.map(|name| format!(" {name}")).unwrap_or_default();
    Ok(Reason::new("lock", format!("lock{name} is free, and its turn comes in a moment")))
}

/// A job that is offered, and whoever claims it will find one of its locks held.
pub(super) async fn of_offered(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    let limits = [LockName::of_action(&job.spec.action), LockName::of_class(&job.class)];
    let own = job.spec.locks.iter().map(|(name, _)| name);
    for name in own.chain(&limits) {
        let (permits, _) = store.permits(name).await?;
        if permits.is_none() {
            continue;
        }
        let lock = store.lock(name).await?;
        let ahead = store.ahead_in_line(name, job.id).await?.unwrap_or(lock.waiting);
        if let Some(message) = busy(&lock, need(job, name), ahead) {
            return Ok(Some(Reason::new("lock", message)));
        }
    }
    Ok(None)
}

fn need(job: &Job, name: &LockName) -> u32 {
    let own = job.spec.locks.iter().find(|(own, _)| *own == name);
    own.map_or(1, |(_, permits)| permits)
}

/// What keeps a job from having so many permits of a lock, if anything does.
fn busy(lock: &Lock, need: u32, ahead: u64) -> Option<String> {
    let all = lock.permits?;
    if lock.paused {
        return Some(format!("{} is paused", what(&lock.name)));
    }
    if need > all {
        let permits = if all == 1 { "permit" } else { "permits" };
        return Some(format!(
            "it needs {need} permits of {}, which has {all} {permits}",
            what(&lock.name)
        ));
    }
    let free = all.saturating_sub(lock.held);
    if need <= free && ahead == 0 {
        return None;
    }
    let mut message = match lock.held {
        0 => format!("{} is free", what(&lock.name)),
        held if all == 1 => format!("{} is held by {}", what(&lock.name), holders(lock, held)),
        held => {
            let needs =
                if need == 1 { String::new() } else { format!("it needs {need} permits: ") };
            let (what, holders) = (what(&lock.name), holders(lock, held));
            format!("{needs}{held} of the {all} permits of {what} are held by {holders}")
        }
    };
    if ahead > 0 {
        message.push_str(&format!("; {ahead} ahead of it in line"));
    }
    Some(message)
}

fn what(name: &LockName) -> String {
    match name.is_reserved() {
        true => format!("the limit of {}", name.as_str().replacen(':', " ", 1)),
        false => format!("lock {name}"),
    }
}

fn holders(lock: &Lock, held: u32) -> String {
    let name = |holder: &shared::store::Holder| {
        let job = &holder.job;
        let stops = if job.status == Status::CancelRequest { ", which is to stop" } else { "" };
        format!("job {} ({}){stops}", job.number, job.id)
    };
    let named: Vec<String> = lock.holders.iter().take(MOST_NAMED).map(name).collect();
    match (named.is_empty(), lock.holders.len().saturating_sub(MOST_NAMED)) {
        // Whoever held it has just gone.
        (true, _) => format!("{held} that have just gone"),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    }
}
