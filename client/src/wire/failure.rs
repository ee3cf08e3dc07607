//! Failures, grouped by fingerprint.

use serde::Deserialize;

/// Failures of one action with the same type and message, except for numbers and ids.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    /// Identifies the group.
    pub fingerprint: String,
    /// The action of the jobs.
    pub action: String,
    /// The type of their exceptions.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Their message, with numbers and ids masked.
    #[serde(default)]
    pub message: String,
    /// How many failed.
    pub count: u64,
    /// When the first one failed.
    #[serde(default)]
    pub first_seen: String,
    /// When the last one failed.
    #[serde(default)]
    pub last_seen: String,
    /// The last job that failed.
    #[serde(default, rename = "sampleID")]
    pub sample_id: String,
}
