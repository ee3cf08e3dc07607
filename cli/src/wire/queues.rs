//! Queues as the API shows them.

use serde::Deserialize;

/// A queue: jobs of one class in one band of priority.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Queue {
    pub(crate) class: String,
    pub(crate) priority: String,
    #[serde(default)]
    pub(crate) offered: u64,
    #[serde(default)]
    pub(crate) behind: u64,
    #[serde(default)]
    pub(crate) parked: u64,
    #[serde(default)]
    pub(crate) running: u64,
    /// When the one that has been offered longest was offered.
    #[serde(default)]
    pub(crate) oldest: Option<String>,
    #[serde(default)]
    pub(crate) workers: u64,
    #[serde(default)]
    pub(crate) paused: bool,
}

/// All queues.
#[derive(Debug, Deserialize)]
pub(crate) struct Queues {
    pub(crate) queues: Vec<Queue>,
}
