//! The services that run, from what they have announced.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use domain::job::Timestamp;

/// A service that has not announced itself for this long is forgotten.
pub(super) const MAX_SILENCE: Duration = Duration::from_secs(15);

/// The program of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceKind {
    /// `capstan-api`.
    Api,
    /// `capstan-scheduler`.
    Scheduler,
}

impl ServiceKind {
    /// Every kind.
    pub const ALL: [ServiceKind; 2] = [ServiceKind::Api, ServiceKind::Scheduler];

    /// The word, the same in Redis and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceKind::Api => "api",
            ServiceKind::Scheduler => "scheduler",
        }
    }
}

/// Whether a scheduler is connected to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BrokerLink {
    /// It is, and can publish.
    #[serde(rename = "up")]
    Up,
    /// It cannot publish, for this reason.
    #[serde(rename = "down")]
    Down(String),
}

/// A scheduler or an API process that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its program.
    pub kind: ServiceKind,
    /// Its identity, random for each process.
    pub id: String,
    /// The version of its program.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it announced itself last.
    pub last_seen: Timestamp,
    /// Its connection to the broker; `None` for a service that has none.
    pub broker: Option<BrokerLink>,
}

/// What a service reports of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    pub(super) version: String,
    pub(super) started_at: Timestamp,
    #[serde(default)]
    pub(super) broker: Option<BrokerLink>,
}

/// The services that run at this time, by kind, the oldest first, from the hash of all. Leaves out
/// what only a later version can read.
pub(crate) fn running(fields: &HashMap<String, String>, now: Timestamp) -> Vec<Service> {
    let mut services: Vec<Service> = fields
        .iter()
        .filter_map(|(field, value)| service(field, value))
        .filter(|one| u128::from(now.ms().abs_diff(one.last_seen.ms())) <= MAX_SILENCE.as_millis())
        .collect();
    services.sort_by(|a, b| (a.kind, a.started_at, &a.id).cmp(&(b.kind, b.started_at, &b.id)));
    services
}

fn service(field: &str, value: &str) -> Option<Service> {
    let (kind, id) = field.split_once(':')?;
    let kind = ServiceKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let (seen, about) = value.split_once(' ')?;
    let About { version, started_at, broker } = serde_json::from_str(about).ok()?;
    let last_seen = Timestamp::from_ms(seen.parse().ok()?);
    Some(Service { kind, id: id.to_owned(), version, started_at, last_seen, broker })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_are_silent_or_unreadable_are_left_out() {
        let about = r#"{"version":"1.0.0","startedAt":"2026-01-01T00:00:00Z"}"#;
        let down =
            r#"{"version":"1.0.0","startedAt":"2026-01-01T00:00:00Z","broker":{"down":"x"}}"#;
        let fields = [
            ("scheduler:b", format!("100000 {down}")),
            ("api:a", format!("85000 {about}")),
            ("api:old", format!("84999 {about}")),
            ("api:ahead", format!("115001 {about}")),
            ("api:newer", "100000 {\"v\":2}".to_owned()),
            ("gateway:c", format!("100000 {about}")),
            ("api", about.to_owned()),
        ];
        let fields = fields.map(|(field, value)| (field.to_owned(), value));
        let services = running(&HashMap::from(fields), Timestamp::from_ms(100_000));
        let found: Vec<_> = services.iter().map(|one| (one.kind.as_str(), &*one.id)).collect();
        assert_eq!(found, [("api", "a"), ("scheduler", "b")]);
        assert_eq!(services[1].broker, Some(BrokerLink::Down("x".to_owned())));
    }
}
