//! The audit: every change over HTTP, logged, and written to the store in the background. No
//! request waits for its entry or fails because of it. While the store is unavailable, a bounded
//! number of entries waits in memory.

use std::time::Duration;

use axum::http::StatusCode;
use store::{AuditedChange, Store};
use tokio::sync::mpsc;

use crate::auth::Caller;
use crate::metrics::Metrics;

/// How many entries wait while the store is unavailable. Further ones are lost and counted; most of
/// their requests were answered 503 and changed nothing.
const MAX_WAITING: usize = 4096;
/// How many entries are written at once.
const BATCH: usize = 64;
/// The pause after a write that the store did not answer.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The status of a request whose client hung up before the answer; it may have taken effect.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The entry point of the audit. Clones write to the same audit.
#[derive(Clone)]
pub(crate) struct AuditLog {
    sender: mpsc::Sender<AuditedChange>,
    metrics: Metrics,
}

impl AuditLog {
    /// Creates the audit and its writer, which runs until every clone of the audit is dropped.
    pub(crate) fn new(store: Store, metrics: Metrics) -> (AuditLog, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let writer = write(store, receiver, metrics.clone());
        (AuditLog { sender, metrics }, writer)
    }

    /// Begins the entry of a change that was authorized, or denied because of its role.
    pub(crate) fn begin(&self, change: AuditedChange, caller: Caller) -> PendingEntry {
        PendingEntry { change: Some(change), caller, needs_link: false, audit: self.clone() }
    }

    /// Begins the entry of a change that needs no token but a link. It is recorded only if the link
    /// is valid, so that requests with invalid links cannot fill the audit.
    pub(crate) fn begin_by_link(&self, change: AuditedChange, caller: Caller) -> PendingEntry {
        let mut entry = self.begin(change, caller);
        entry.needs_link = true;
        entry
    }

    fn record(&self, change: AuditedChange) {
        if self.sender.try_send(change).is_err() {
            self.metrics.audit_lost(1);
        }
    }
}

/// The entry of a change that has not been answered yet. It is also recorded when it is dropped,
/// because its client hung up: the change may have taken effect.
pub(crate) struct PendingEntry {
    change: Option<AuditedChange>,
    caller: Caller,
    needs_link: bool,
    audit: AuditLog,
}

impl PendingEntry {
    /// Completes the entry with the status of the answer and records it.
    pub(crate) fn complete(mut self, status: StatusCode) {
        // A method that the route does not allow changes nothing.
        if status == StatusCode::METHOD_NOT_ALLOWED {
            self.change = None;
        }
        self.record(status.as_u16());
    }

    fn record(&mut self, status: u16) {
        let Some(mut change) = self.change.take() else { return };
        if self.needs_link && !self.caller.is_linked() {
            return;
        }
        self.caller.name().clone_into(&mut change.who);
        self.caller.role().clone_into(&mut change.role);
        self.caller.subject().clone_into(&mut change.subject);
        change.status = status;
        // An accepted query of v0 holds known parameters only; any other may hold a secret.
        let is_safe = change.path.starts_with("/api/v0/") && (200..300).contains(&status);
        if !is_safe {
            change.query.clear();
        }
        log(&change);
        self.audit.record(change);
    }
}

/// Logs an entry, so that it outlives the store and the bounds of the audit.
fn log(change: &AuditedChange) {
    let AuditedChange { who, role, from, method, path, query, status, subject } = change;
    tracing::info!(
        target: "audit",
        who, role, from, method, path, query, status, subject,
        "a request to change something"
    );
}

impl Drop for PendingEntry {
    fn drop(&mut self) {
        self.record(CLIENT_CLOSED_REQUEST);
    }
}

/// Writes entries until every sender is dropped. An entry whose write was not answered is written
/// again, so it may be there twice.
async fn write(store: Store, mut receiver: mpsc::Receiver<AuditedChange>, metrics: Metrics) {
    let mut changes = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut changes, BATCH).await > 0 {
        while let Err(error) = store.audit(&changes).await {
            if receiver.is_closed() || !error.is_unavailable() {
                tracing::error!(%error, lost = changes.len(), "cannot write to the audit");
                metrics.audit_lost(changes.len());
                break;
            }
            tracing::debug!(%error, "the audit waits for the store");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        changes.clear();
    }
}
