//! Stops bulk operations.

use uuid::Uuid;

use super::BulkState;
use crate::bounds::BULK_KEPT;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static STOP_BULK: Script = Script::new("stop_bulk", include_str!("stop_bulk.lua"));

/// What became of a request to stop an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAnswer {
    /// It is stopped.
    Stopped,
    /// It had ended.
    Already(BulkState),
    /// There is no such operation.
    Gone,
}

impl Store {
    /// Stops an operation. What it has changed stays changed.
    pub async fn stop_bulk(&self, id: Uuid, by: &str) -> Result<StopAnswer, StoreError> {
        let answer = self.call(&STOP_BULK, |call| {
            call.arg(id.to_string()).arg(by).arg(BULK_KEPT.as_millis() as u64);
        });
        answer.await?.decode(|words| match words {
            ["stopped"] => Some(StopAnswer::Stopped),
            ["already", state] => Some(StopAnswer::Already(state.parse().ok()?)),
            ["gone"] => Some(StopAnswer::Gone),
            _ => None,
        })
    }
}
