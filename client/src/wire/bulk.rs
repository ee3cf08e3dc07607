//! Bulk operations.

use std::collections::BTreeMap;

use domain::job::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::optional::none_if_empty;

/// What a bulk operation would do.
#[derive(Debug, Clone, Deserialize)]
pub struct BulkPreview {
    /// The number of jobs that it would change.
    pub eligible: u64,
    /// The number of matching jobs that it would not change, by reason.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
    /// True if more jobs may match.
    #[serde(default)]
    pub more: bool,
}

/// A bulk operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkOperation {
    /// Its id.
    pub id: String,
    /// What it does with each job: `cancel`, `retry` or `delete`.
    pub operation: String,
    /// `running`, `done` or `stopped`.
    pub state: String,
    /// The jobs.
    #[serde(default)]
    pub filter: Value,
    /// Who created it.
    #[serde(default)]
    pub requested_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was done or stopped.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub finished_at: Option<Timestamp>,
    /// The number of jobs that it has looked at.
    #[serde(default)]
    pub examined: u64,
    /// The number of jobs to look at.
    #[serde(default)]
    pub total: u64,
    /// The number of jobs that it has changed.
    #[serde(default)]
    pub changed: u64,
    /// The number of matching jobs that it could not change, by reason.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
}
