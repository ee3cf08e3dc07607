//! The words of workers on the page.

use store::WorkerStatus;

/// Returns the word of a status, for people and for the styles.
pub(super) fn status_word(status: WorkerStatus) -> (&'static str, &'static str) {
    match status {
        WorkerStatus::Running => ("live", "live"),
        WorkerStatus::Draining => ("draining", "draining"),
        WorkerStatus::Dead => ("died", "dead"),
        WorkerStatus::Shutdown => ("shut down", "shutdown"),
    }
}
