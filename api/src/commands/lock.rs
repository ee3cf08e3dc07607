//! Operations on a lock: clear it, and check a number of permits for it.

use domain::lock::{LockName, MAX_PERMITS};

use crate::app::App;
use crate::error::Error;

/// Clears a lock: revokes it from its holders and grants it to the next jobs in its wait queue.
pub(crate) async fn clear(app: &App, name: &LockName) -> Result<(), Error> {
    let held = app.store.clear_lock(name).await? > 0;
    // A free lock exists too, if it is configured or waited for.
    if held || app.store.is_lock_known(name).await? {
        return Ok(());
    }
    Err(Error::NoSuchLock(name.to_string()))
}

/// Checks a number of permits; `None` restores the default.
pub(crate) fn permits(number: Option<i64>) -> Result<Option<u32>, Error> {
    let Some(number) = number else { return Ok(None) };
    let valid = u32::try_from(number).ok().filter(|all| (1..=MAX_PERMITS).contains(all));
    let why = format!("it must be a whole number from 1 to {MAX_PERMITS}, or null");
    valid.map(Some).ok_or_else(|| Error::invalid("permits", why))
}
