//! Claims bulk operations, and saves their progress.

use std::time::Duration;

use uuid::Uuid;

use super::{BulkProgress, BulkState};
use crate::bounds::BULK_KEPT;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static SAVE_BULK: Script = Script::new("save_bulk", include_str!("save_bulk.lua"));

/// How long the claim of a process is valid. After this time, another one may take over the operation.
const CLAIM: Duration = Duration::from_secs(10);

/// Which process runs an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveAnswer {
    /// This one, if the operation is running. If not, the operation has ended.
    Own(BulkState),
    /// Another one.
    Claimed,
    /// There is no such operation.
    Gone,
}

impl Store {
    /// Claims an operation for a process. `Own(Running)` means that it runs the operation.
    pub async fn claim_bulk(&self, id: Uuid, owner: &str) -> Result<SaveAnswer, StoreError> {
        self.call_save(id, owner, "", false).await
    }

    /// Saves the progress of a claimed operation; `is_over` when no job is left.
    pub async fn save_bulk(
        &self,
        id: Uuid,
        owner: &str,
        progress: &BulkProgress,
        is_over: bool,
    ) -> Result<SaveAnswer, StoreError> {
        let progress = serde_json::to_string(progress).unwrap_or_default();
        self.call_save(id, owner, &progress, is_over).await
    }

    async fn call_save(
        &self,
        id: Uuid,
        owner: &str,
        progress: &str,
        is_over: bool,
    ) -> Result<SaveAnswer, StoreError> {
        let answer = self.call(&SAVE_BULK, |call| {
            call.arg(id.to_string()).arg(owner).arg(CLAIM.as_millis() as u64).arg(progress);
            call.arg(if is_over { "1" } else { "" }).arg(BULK_KEPT.as_millis() as u64);
        });
        answer.await?.decode(|words| match words {
            ["claimed"] => Some(SaveAnswer::Claimed),
            ["gone"] => Some(SaveAnswer::Gone),
            [state] => Some(SaveAnswer::Own(state.parse().ok()?)),
            _ => None,
        })
    }
}
