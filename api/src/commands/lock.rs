//! Operations on a lock: clear it.

use domain::lock::LockName;

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
