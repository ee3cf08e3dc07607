//! Why a job waits for a rate limit, and until when.

use domain::job::{Job, Timestamp};
use domain::limit::{LimitName, RateLimit};
use domain::lock::LockName;
use store::{LimitState, Store, StoreError};

use super::reason::Reason;

/// Returns the reason if a rate limit allows no start of the job now.
pub(super) async fn busy(
    store: &Store,
    job: &Job,
    (lock, key): (&LockName, &str),
    need: u32,
) -> Result<Option<Reason>, StoreError> {
    let limits = store.rate_limits().await?;
    let Some((name, limit)) = limits.of_key(key) else { return Ok(None) };
    let states = store.limit_states(&[(lock.clone(), *limit)]).await?;
    let Some(state) = states.first() else { return Ok(None) };
    let ahead = store.waiters_ahead(lock, job).await?.unwrap_or(state.waiting);
    let all = limit.burst();
    if need > all {
        let why = format!("it counts as {need} starts, and {key} allows {all} at once");
        return Ok(Some(Reason::new("rate", why)));
    }
    if ahead == 0 && state.used.saturating_add(need) <= all {
        return Ok(None);
    }
    Ok(Some(Reason::new("rate", message((key, name), limit, state, (need, ahead)))))
}

/// Says which limit it is, and when the job may start: after those ahead of it, if each counts as one
/// start.
fn message(
    (key, name): (&str, &LimitName),
    limit: &RateLimit,
    state: &LimitState,
    (need, ahead): (u32, u64),
) -> String {
    let set_by = if name.as_str() == key { String::new() } else { format!(" (limit {name})") };
    let behind = match ahead {
        0 => String::new(),
        ahead => format!("; {ahead} ahead of it in the wait queue"),
    };
    let at = limit.start_after(state.next_at, state.used, ahead.saturating_add(need.into()));
    let at = at.map(|at: Timestamp| format!("; it may start at {at}")).unwrap_or_default();
    format!("{key}{set_by} allows {limit}{at}{behind}")
}
