//! The state of the fleet.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The state of the fleet.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The version of the API.
    pub version: String,
    /// The API processes and schedulers that run.
    #[serde(default)]
    pub services: Vec<Service>,
    /// The workers.
    #[serde(default)]
    pub workers: Workers,
    /// Redis.
    #[serde(default)]
    pub store: Store,
    /// RabbitMQ.
    #[serde(default)]
    pub broker: Broker,
    /// How many jobs are in each status.
    #[serde(default)]
    pub jobs: BTreeMap<String, u64>,
    /// What happened to jobs recently.
    #[serde(default)]
    pub rates: Option<Rates>,
    /// The age of the oldest offer that no worker has taken.
    #[serde(default)]
    pub oldest_ready_ms: Option<u64>,
    /// What needs attention.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A scheduler or an API process.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// `scheduler` or `api`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The version of its program.
    #[serde(default)]
    pub version: String,
    /// When it started.
    #[serde(default)]
    pub started_at: String,
    /// When it last announced itself.
    #[serde(default)]
    pub last_seen: String,
}

/// The live workers.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Workers {
    /// How many there are.
    #[serde(default)]
    pub live: u64,
    /// How many of them are draining.
    #[serde(default)]
    pub draining: u64,
}

/// The state of Redis.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Store {
    /// Whether it answers, accepts writes and has room.
    #[serde(default)]
    pub ok: bool,
    /// The bytes that it uses.
    #[serde(default)]
    pub used_bytes: Option<u64>,
    /// Its limit.
    #[serde(default)]
    pub max_bytes: Option<u64>,
    /// Whether it writes each change to disk.
    #[serde(default)]
    pub append_only: Option<bool>,
    /// What is wrong.
    #[serde(default)]
    pub why: Option<String>,
}

/// The state of RabbitMQ.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Broker {
    /// Whether a scheduler can publish.
    #[serde(default)]
    pub ok: bool,
    /// What is wrong.
    #[serde(default)]
    pub why: Option<String>,
}

/// What happened to jobs in a period before now.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    /// How many started.
    pub started: u64,
    /// How many ended.
    pub ended: u64,
    /// How many of those failed.
    pub failed: u64,
    /// The length of the period.
    pub period_ms: u64,
}
