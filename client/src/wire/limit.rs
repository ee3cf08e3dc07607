//! Rate limits.

use serde::Deserialize;

/// A rate limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// The key that is limited, or the first part of such keys and a star.
    pub name: String,
    /// How many jobs may start in the time `per`.
    #[serde(default)]
    pub rate: Option<u64>,
    /// In which time.
    #[serde(default)]
    pub per: Option<String>,
    /// How many may start at once.
    #[serde(default)]
    pub burst: Option<u64>,
    /// How many jobs may start in each window.
    #[serde(default)]
    pub quota: Option<u64>,
    /// The kind of window, such as a day.
    #[serde(default)]
    pub window: Option<String>,
    /// The time zone of the windows.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// How much of the burst or the quota is used up; `None` for a name with a star.
    #[serde(default)]
    pub level: Option<u64>,
    /// When the next job may start.
    #[serde(default)]
    pub next_at: Option<String>,
    /// How many jobs wait for it.
    #[serde(default)]
    pub waiting: Option<u64>,
}
