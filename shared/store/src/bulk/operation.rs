//! A bulk operation as the store keeps it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;
use crate::history::JobFilter;
use crate::json::read_json;
use domain::job::{JobId, Timestamp};

/// What an operation does with each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BulkVerb {
    /// Cancels it.
    Cancel,
    /// Retries it.
    Retry,
    /// Deletes it.
    Delete,
}

impl BulkVerb {
    /// Every verb.
    pub const ALL: [BulkVerb; 3] = [BulkVerb::Cancel, BulkVerb::Retry, BulkVerb::Delete];

    /// The word, the same in Redis and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BulkVerb::Cancel => "cancel",
            BulkVerb::Retry => "retry",
            BulkVerb::Delete => "delete",
        }
    }
}

impl fmt::Display for BulkVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkState {
    /// It is running.
    Running,
    /// Every matching job was examined.
    Done,
    /// It was stopped before that.
    Stopped,
}

impl BulkState {
    /// Every state.
    pub const ALL: [BulkState; 3] = [BulkState::Running, BulkState::Done, BulkState::Stopped];

    /// The word, the same in Redis and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BulkState::Running => "running",
            BulkState::Done => "done",
            BulkState::Stopped => "stopped",
        }
    }
}

impl FromStr for BulkState {
    type Err = String;

    fn from_str(text: &str) -> Result<BulkState, String> {
        let found = BulkState::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| format!("state is {text:?}"))
    }
}

/// What an operation does, and with which rights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkSpec {
    /// What it does with each job.
    pub verb: BulkVerb,
    /// The jobs.
    pub filter: JobFilter,
    /// The owner of the token that requested it.
    pub requested_by: String,
    /// True if that token may change jobs of the action `deliver`.
    pub may_change_deliveries: bool,
}

/// A place in the order by due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkCursor {
    /// The due time of the last job before it, in milliseconds.
    pub at_ms: i64,
    /// The id of that job.
    pub id: JobId,
}

/// The progress of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkProgress {
    /// The number of jobs that were examined.
    pub examined: u64,
    /// The number of jobs to examine, as counted at the beginning.
    pub total: u64,
    /// The number of jobs that were cancelled, retried or deleted.
    pub changed: u64,
    /// The number of matching jobs that were not, by reason.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
    /// Where to continue.
    #[serde(default)]
    pub cursor: Option<BulkCursor>,
    /// True if no job is left after `cursor`.
    #[serde(default)]
    pub is_last: bool,
    /// The jobs that are being changed. A process that takes over the operation changes them again,
    /// which has no further effect.
    #[serde(default)]
    pub pending: Vec<JobId>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub spec: BulkSpec,
    /// Its state.
    pub state: BulkState,
    /// Who stopped it.
    pub stopped_by: Option<String>,
    /// Jobs with a higher number were created later and are not touched.
    pub last_number: u64,
    /// Its progress.
    pub progress: BulkProgress,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its progress was last saved.
    pub last_updated: Timestamp,
    /// When it was done or stopped.
    pub finished_at: Option<Timestamp>,
}

/// Reads the fields of an operation.
pub(super) fn operation(
    id: Uuid,
    fields: &HashMap<String, String>,
) -> Result<BulkOperation, StoreError> {
    let key = format!("bulk operation {id}");
    let wrong = |why: String| StoreError::unreadable(&key, why);
    let text = |field: &str| fields.get(field).map(String::as_str).unwrap_or_default();
    let time = |field: &str| text(field).parse().ok().map(Timestamp::from_ms);
    let created_at = time("createdAt").ok_or_else(|| wrong("createdAt is no time".to_owned()))?;
    let progress = match text("progress") {
        "" => BulkProgress::default(),
        progress => read_json(&key, progress)?,
    };
    Ok(BulkOperation {
        id,
        spec: read_json(&key, text("spec"))?,
        state: text("state").parse().map_err(wrong)?,
        stopped_by: fields.get("stoppedBy").cloned(),
        last_number: text("lastNumber").parse().unwrap_or(0),
        progress,
        created_at,
        last_updated: time("lastUpdated").unwrap_or(created_at),
        finished_at: time("finishedAt"),
    })
}
