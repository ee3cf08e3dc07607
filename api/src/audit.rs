//! Every change, written down beside the road of the request: no request waits for its entry, and
//! none fails for it. While the store is away the entries wait here, as many as there is room for.

use std::time::Duration;

use axum::http::StatusCode;
use shared::store::{AuditedChange, Store};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::RunError;
use crate::auth::Caller;
use crate::metrics::Metrics;

/// How many entries wait while the store is away; what comes then is lost, and counted. Such
/// requests have mostly been answered 503, and changed nothing.
const MOST_WAITING: usize = 4096;
/// How many are written at once.
const TOGETHER: usize = 64;
/// How long the store is left alone after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// The answer that nobody waited for: what was asked may have been done all the same.
const NOBODY_WAITED: u16 = 499;

/// Where changes are told of.
#[derive(Clone)]
pub(crate) struct Recorder {
    sender: mpsc::Sender<AuditedChange>,
    metrics: Metrics,
}

impl Recorder {
    /// Starts the writer, which ends when all recorders are gone.
    pub(crate) fn start(
        store: Store,
        metrics: &Metrics,
        tasks: &mut JoinSet<Result<(), RunError>>,
    ) -> Recorder {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        tasks.spawn(write(store, receiver, metrics.clone()));
        Recorder { sender, metrics: metrics.clone() }
    }

    /// A change that is allowed, or refused for want of a role, and not answered yet.
    pub(crate) fn begin(&self, change: AuditedChange, caller: Caller) -> Pending {
        Pending { told: Some(change), caller, recorder: self.clone() }
    }

    fn tell(&self, change: AuditedChange) {
        if self.sender.try_send(change).is_err() {
            self.metrics.audit_lost(1);
        }
    }
}

/// A change that is under way. Dropped before its end, because its client hung up, it is told of
/// too: it may have been done.
pub(crate) struct Pending {
    told: Option<AuditedChange>,
    caller: Caller,
    recorder: Recorder,
}

impl Pending {
    /// It was answered so.
    pub(crate) fn end(mut self, status: StatusCode) {
        // A method that the route does not take changes nothing.
        if status == StatusCode::METHOD_NOT_ALLOWED {
            self.told = None;
        }
        self.tell(status.as_u16());
    }

    fn tell(&mut self, status: u16) {
        let Some(mut change) = self.told.take() else { return };
        self.caller.name().clone_into(&mut change.who);
        self.caller.role().clone_into(&mut change.role);
        self.caller.subject().clone_into(&mut change.subject);
        change.status = status;
        // v0 refuses parameters that it does not know: what it accepted are filters, and no
        // secrets.
        let known = change.path.starts_with("/api/v0/") && (200..300).contains(&status);
        if !known {
            change.query.clear();
        }
        self.recorder.tell(change);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.tell(NOBODY_WAITED);
    }
}

/// Writes until nobody can tell of anything any more. An entry whose writing was not answered is
/// written again, and may stand there twice.
async fn write(
    store: Store,
    mut receiver: mpsc::Receiver<AuditedChange>,
    metrics: Metrics,
) -> Result<(), RunError> {
    let mut changes = Vec::with_capacity(TOGETHER);
    while receiver.recv_many(&mut changes, TOGETHER).await > 0 {
        while let Err(error) = store.audit(&changes).await {
            if receiver.is_closed() || !error.is_unavailable() {
                tracing::error!(%error, lost = changes.len(), "changes are not in the audit");
                metrics.audit_lost(changes.len());
                break;
            }
            tracing::debug!(%error, "the audit waits for the store");
            tokio::time::sleep(PAUSE).await;
        }
        changes.clear();
    }
    Ok(())
}
