//! Why a job waits for locks: the holders of a lock, the jobs ahead of it, a pause. The limits of
//! actions and classes and rate limits are locks too.

use domain::job::{Job, Status, Timestamp};
use domain::limit::{LimitName, RateLimit};
use domain::lock::LockName;
use store::{Holder, LimitState, Lock, Store, StoreError};

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
        if name.rate_key().is_some() {
            if let Some(reason) = limited(store, job, name).await? {
                return Ok(reason);
            }
            continue;
        }
        let lock = store.lock(name).await?;
        let ahead = store.waiters_ahead(name, job).await?.unwrap_or(0);
        if let Some(message) = busy(&lock, needed(job, name), ahead) {
            return Ok(Reason::new("lock", message));
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
        if name.rate_key().is_some() {
            let reason = limited(store, job, name).await?;
            if reason.is_some() {
                return Ok(reason);
            }
            continue;
        }
        let (permits, _) = store.permits(name).await?;
        if permits.is_none() {
            continue;
        }
        let lock = store.lock(name).await?;
        let ahead = store.waiters_ahead(name, job).await?.unwrap_or(lock.waiting);
        if let Some(message) = busy(&lock, needed(job, name), ahead) {
            return Ok(Some(Reason::new("lock", message)));
        }
    }
    Ok(None)
}

/// Returns the reason if a rate limit allows no start of the job now.
async fn limited(store: &Store, job: &Job, name: &LockName) -> Result<Option<Reason>, StoreError> {
    let limits = store.rate_limits().await?;
    let found = name.rate_key().and_then(|key| Some((key, limits.of_key(key)?)));
    let Some((key, (limit_name, limit))) = found else { return Ok(None) };
    let states = store.limit_states(&[(name.clone(), *limit)]).await?;
    let Some(state) = states.first() else { return Ok(None) };
    let ahead = store.waiters_ahead(name, job).await?.unwrap_or(state.waiting);
    let need = needed(job, name);
    if need > limit.burst {
        let why = format!("it counts as {need} starts, and {key} allows {} at once", limit.burst);
        return Ok(Some(Reason::new("rate", why)));
    }
    if ahead == 0 && state.used + need <= limit.burst {
        return Ok(None);
    }
    Ok(Some(Reason::new("rate", rate_message(key, limit_name, limit, state, (need, ahead)))))
}

/// Says which limit it is, and when the job may start: after those ahead of it, if each counts as one
/// start.
fn rate_message(
    key: &str,
    name: &LimitName,
    limit: &RateLimit,
    state: &LimitState,
    (need, ahead): (u32, u64),
) -> String {
    let after = (ahead as f64 + f64::from(need) - 1.0) * limit.interval_ms();
    let at = Timestamp::from_ms(state.next_at.ms() + after as i64);
    let set_by = if name.as_str() == key { String::new() } else { format!(" (limit {name})") };
    let behind = match ahead {
        0 => String::new(),
        ahead => format!("; {ahead} ahead of it in the wait queue"),
    };
    let starts = if limit.rate == 1 { "start" } else { "starts" };
    let (rate, per) = (limit.rate, limit.per_text());
    format!("{key}{set_by} allows {rate} {starts} per {per}; it may start at {at}{behind}")
}

fn needed(job: &Job, name: &LockName) -> u32 {
    let own = job.spec.locks.iter().find(|(own, _)| *own == name);
    own.map_or(1, |(_, permits)| permits)
}

/// Returns why a job cannot get this many permits of a lock; `None` if it can.
fn busy(lock: &Lock, need: u32, ahead: u64) -> Option<String> {
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
