//! Queues.

use serde::Deserialize;

/// A queue: the jobs of one class and one priority, or those of one action among them.
#[derive(Debug, Clone, Deserialize)]
pub struct Queue {
    /// The class of its jobs, for example `cpu=2+scan=1`.
    pub class: String,
    /// The action of its jobs, if not every live worker knows it. `None` for a shared queue.
    #[serde(default)]
    pub action: Option<String>,
    /// The priority of its jobs.
    pub priority: String,
    /// How many jobs are offered to workers through the broker.
    #[serde(default)]
    pub offered: u64,
    /// How many jobs wait behind those.
    #[serde(default)]
    pub backlog: u64,
    /// How many jobs wait for a lock.
    #[serde(default)]
    pub parked: u64,
    /// How many jobs run.
    #[serde(default)]
    pub running: u64,
    /// When the oldest offered job was offered.
    #[serde(default)]
    pub oldest: Option<String>,
    /// How many workers can run its jobs.
    #[serde(default)]
    pub workers: u64,
    /// True while none of its jobs is started.
    #[serde(default)]
    pub paused: bool,
    /// The fairness groups with the most jobs.
    #[serde(default)]
    pub groups: Vec<FairnessGroup>,
    /// How many fairness groups have jobs in the queue.
    #[serde(default, rename = "groupCount")]
    pub group_count: u64,
}

/// The jobs of one submitter in a queue that have the same fairness key, or none.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FairnessGroup {
    /// Who submitted them, if that is known.
    #[serde(default)]
    pub owner: Option<String>,
    /// Their fairness key.
    #[serde(default)]
    pub fairness_key: Option<String>,
    /// The part of the offered jobs of the queue that is theirs, from 0 to 1.
    #[serde(default)]
    pub share: f64,
}
