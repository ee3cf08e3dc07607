//! Bulk operations as the API shows them.

use std::collections::BTreeMap;

use domain::job::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::filter::BulkFilter;
use crate::bulk::Preview;
use crate::v0::wire::schemas;

/// What a bulk operation would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"eligible": 17, "refused": {"alreadyRetried": 2}, "more": false}))]
pub(in crate::v0) struct BulkPreview {
    /// The number of jobs that it would change.
    eligible: u64,
    /// The number of matching jobs that it would not change, by reason: `finished`,
    /// `alreadyStopping`, `notFinished`, `alreadyRetried`, `uniqueKeyTaken`, `deleted` or
    /// `notAuthorized`.
    refused: BTreeMap<String, u64>,
    /// True if counting ended after five seconds and more jobs may match.
    more: bool,
}

/// A bulk operation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct BulkOperation {
    /// The id of the operation.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// What it does with each job.
    #[schema(value_type = schemas::BulkVerb)]
    operation: &'static str,
    /// The jobs.
    filter: BulkFilter,
    /// `running`, `done` when all jobs were examined, or `stopped`.
    #[schema(value_type = schemas::BulkState)]
    state: &'static str,
    /// The name of the token that created it.
    requested_by: String,
    /// The name of the token that stopped it.
    stopped_by: Option<String>,
    /// The time at which it was created. Jobs that were submitted later are not touched.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The time at which its progress was last saved.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
    /// The time at which it was done or stopped.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// The number of jobs that were looked at.
    examined: u64,
    /// The number of jobs to look at, as counted at the beginning: those of the narrowest index.
    total: u64,
    /// The number of jobs that were cancelled, retried or deleted.
    changed: u64,
    /// The number of matching jobs that were not changed, by reason: those of a dry run,
    /// `quotaExceeded`, `tooManyQueues` or `unreadable`.
    refused: BTreeMap<String, u64>,
}

/// The bulk operations.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct BulkOperations {
    /// The operations, newest first.
    pub(super) operations: Vec<BulkOperation>,
}

impl From<Preview> for BulkPreview {
    fn from(preview: Preview) -> BulkPreview {
        let Preview { eligible, refused, more } = preview;
        BulkPreview { eligible, refused, more }
    }
}

impl From<store::BulkOperation> for BulkOperation {
    fn from(one: store::BulkOperation) -> BulkOperation {
        BulkOperation {
            id: one.id,
            operation: one.spec.verb.as_str(),
            filter: one.spec.filter.into(),
            state: one.state.as_str(),
            requested_by: one.spec.requested_by,
            stopped_by: one.stopped_by,
            created_at: one.created_at,
            last_updated: one.last_updated,
            finished_at: one.finished_at,
            examined: one.progress.examined,
            total: one.progress.total,
            changed: one.progress.changed,
            refused: one.progress.refused,
        }
    }
}
