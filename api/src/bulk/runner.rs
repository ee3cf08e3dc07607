//! The task that runs the stored operations, including those of processes that died.
//!
//! A step saves which jobs it is about to change, changes them, and saves the counts with the next
//! step. A process that takes over an operation changes those jobs again, which has no effect on
//! those that were changed: nothing is lost and nothing is done twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::job::WorkerId;
use store::{BulkOperation, BulkState, BulkVerb, SaveAnswer, Store, StoreError};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::apply::{Requester, apply};
use super::eligibility::select;
use crate::metrics::Metrics;

/// How often a process without an operation looks for one.
const PERIOD: Duration = Duration::from_secs(1);

/// Wakes the task of this process for a new operation.
pub(crate) type NewOperation = Arc<Notify>;

/// Runs operations.
pub(crate) struct BulkRunner {
    store: Store,
    metrics: Metrics,
    new_operation: NewOperation,
    /// The id of this process in claims.
    owner: String,
    /// The operations that this process has claimed, as it saved them last.
    claimed: HashMap<Uuid, BulkOperation>,
}

impl BulkRunner {
    /// Creates the task.
    pub(crate) fn new(store: Store, metrics: Metrics, new_operation: NewOperation) -> BulkRunner {
        let owner = WorkerId::random().to_string();
        BulkRunner { store, metrics, new_operation, owner, claimed: HashMap::new() }
    }

    /// Runs operations until `shutdown`. A step that has begun is completed.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let has_worked = self.round(&shutdown).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "bulk operations wait for the store");
                // Its progress is read again: the last change of the store may be lost.
                self.claimed.clear();
                false
            });
            if has_worked {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.new_operation.notified() => {}
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Makes a step of each operation that no other process runs. Returns false if there is none.
    async fn round(&mut self, shutdown: &CancellationToken) -> Result<bool, StoreError> {
        let running = self.store.running_bulk().await?;
        self.save_ended(&running).await?;
        let mut has_worked = false;
        for id in running {
            if shutdown.is_cancelled() {
                break;
            }
            match self.step(id).await {
                Ok(worked) => has_worked |= worked,
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => {
                    tracing::error!(operation = %id, %error, "a bulk operation is given up");
                    self.claimed.remove(&id);
                    self.store.stop_bulk(id, "capstan").await?;
                }
            }
        }
        Ok(has_worked)
    }

    /// Saves what the last steps of operations that were stopped have done.
    async fn save_ended(&mut self, running: &[Uuid]) -> Result<(), StoreError> {
        let ended = self.claimed.keys().filter(|id| !running.contains(id));
        for id in ended.copied().collect::<Vec<_>>() {
            if let Some(operation) = self.claimed.remove(&id) {
                self.save(&operation, false).await?;
            }
        }
        Ok(())
    }

    /// Makes a step of an operation. Returns false if another process runs it.
    async fn step(&mut self, id: Uuid) -> Result<bool, StoreError> {
        let Some(mut operation) = self.claim(id).await? else { return Ok(false) };
        if !operation.progress.is_last {
            self.examine(&mut operation).await?;
            if !self.save(&operation, false).await? {
                return Ok(true);
            }
            self.change_pending(&mut operation, false).await?;
        }
        let is_over = operation.progress.is_last;
        if !is_over || self.save(&operation, true).await? {
            self.claimed.insert(id, operation);
        }
        Ok(true)
    }

    /// Returns an operation of this process. Changes the jobs again that an earlier process was
    /// changing.
    async fn claim(&mut self, id: Uuid) -> Result<Option<BulkOperation>, StoreError> {
        if let Some(operation) = self.claimed.remove(&id) {
            return Ok(Some(operation));
        }
        match self.store.claim_bulk(id, &self.owner).await? {
            SaveAnswer::Own(BulkState::Running) => {}
            SaveAnswer::Own(_) | SaveAnswer::Claimed | SaveAnswer::Gone => return Ok(None),
        }
        let Some(mut operation) = self.store.bulk_operation(id).await? else { return Ok(None) };
        self.change_pending(&mut operation, true).await?;
        Ok(Some(operation))
    }

    /// Examines the next jobs.
    async fn examine(&self, operation: &mut BulkOperation) -> Result<(), StoreError> {
        let BulkOperation { spec, progress, last_number, .. } = operation;
        let mut step = self.store.bulk_step(&spec.filter, progress.cursor).await?;
        if progress.cursor.is_none() {
            progress.total = step.left;
        }
        step.jobs.retain(|job| job.number <= *last_number);
        progress.examined += step.examined;
        progress.total = progress.total.max(progress.examined);
        progress.pending = select(spec, &step.jobs, &mut progress.refused);
        progress.is_last = step.next.is_none();
        progress.cursor = step.next.or(progress.cursor);
        Ok(())
    }

    async fn change_pending(
        &self,
        operation: &mut BulkOperation,
        is_repeated: bool,
    ) -> Result<(), StoreError> {
        let BulkOperation { id, spec, progress, .. } = operation;
        let requester = Requester { name: &spec.requested_by, operation: *id, is_repeated };
        let (verb, refused) = (spec.verb, &mut progress.refused);
        let changed = apply(&self.store, verb, &progress.pending, requester, refused).await?;
        progress.changed += changed;
        progress.pending.clear();
        if verb == BulkVerb::Retry {
            self.metrics.submitted(usize::try_from(changed).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    /// Saves the progress. Returns false if the operation is not to be continued here.
    async fn save(&self, operation: &BulkOperation, is_over: bool) -> Result<bool, StoreError> {
        let saving = self.store.save_bulk(operation.id, &self.owner, &operation.progress, is_over);
        Ok(saving.await? == SaveAnswer::Own(BulkState::Running))
    }
}
