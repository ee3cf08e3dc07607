//! Creates bulk operations.

use uuid::Uuid;

use super::BulkSpec;
use crate::bounds::MAX_BULK_OPERATIONS;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static BEGIN_BULK: Script = Script::new("begin_bulk", include_str!("begin_bulk.lua"));

/// What became of a request for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkBegun {
    /// It is stored.
    Begun,
    /// The maximum number of operations is running.
    TooMany,
}

impl Store {
    /// Stores an operation with this id. If too many are kept, the oldest that has ended is
    /// removed.
    pub async fn begin_bulk(&self, id: Uuid, spec: &BulkSpec) -> Result<BulkBegun, StoreError> {
        let answer = self.call(&BEGIN_BULK, |call| {
            call.arg(id.to_string());
            call.arg(serde_json::to_string(spec).unwrap_or_default()).arg(MAX_BULK_OPERATIONS);
        });
        answer.await?.decode(|words| match words {
            ["begun"] => Some(BulkBegun::Begun),
            ["too_many_operations"] => Some(BulkBegun::TooMany),
            _ => None,
        })
    }
}
