//! Workers.

use serde::Deserialize;
use serde_json::Value;

use super::optional::default_if_null;
use super::units::Units;

/// A worker.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// Its id.
    pub id: String,
    /// Its status: `running`, `draining`, `shutdown` or `dead`.
    pub status: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The version of Capstan it runs.
    #[serde(default)]
    pub version: String,
    /// The capacity it offers.
    #[serde(default, deserialize_with = "default_if_null")]
    pub capacity_map: Units,
    /// The capacity that no job uses.
    #[serde(default, deserialize_with = "default_if_null")]
    pub free: Units,
    /// The actions it knows.
    #[serde(default)]
    pub actions: Vec<String>,
    /// When its lease ends unless it renews it.
    #[serde(default)]
    pub heartbeat_expiration: String,
    /// The jobs it runs, or their number.
    #[serde(default)]
    pub jobs: Value,
}

impl Worker {
    /// True while it has not ended: it runs, or it drains.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.status.as_str(), "dead" | "shutdown")
    }
}
