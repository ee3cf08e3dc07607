//! Rate limits.

use serde::Deserialize;

/// A rate limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// The key that is limited, or the first part of such keys and a star.
    pub name: String,
    /// How many jobs may start.
    #[serde(default)]
    pub rate: u64,
    /// In which time.
    #[serde(default)]
    pub per: String,
    /// How many may start at once.
    #[serde(default)]
    pub burst: u64,
    /// How much of the burst is used up; `None` for a name with a star.
    #[serde(default)]
    pub level: Option<u64>,
    /// When the next job may start.
    #[serde(default)]
    pub next_at: Option<String>,
    /// How many jobs wait for it.
    #[serde(default)]
    pub waiting: Option<u64>,
}
