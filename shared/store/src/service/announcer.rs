//! Announces a service periodically until it stops.

use std::time::Duration;

use tokio::time::Instant;

use super::running::{About, BrokerLink, MAX_SILENCE, ServiceKind};
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::Timestamp;

static ANNOUNCE: Script = Script::new("announce", include_str!("announce.lua"));

/// The time between two announcements of a service.
pub const ANNOUNCEMENT_PERIOD: Duration = Duration::from_secs(3);
/// A longer reason is cut.
const WHY_CHARACTERS: usize = 300;

/// Announces one service.
pub struct Announcer {
    store: Store,
    field: String,
    version: &'static str,
    begun: Instant,
    started_at: Option<Timestamp>,
}

impl Announcer {
    /// The announcer of a service that starts now.
    #[must_use]
    pub fn new(store: Store, kind: ServiceKind, id: &str, version: &'static str) -> Announcer {
        let field = format!("{}:{id}", kind.as_str());
        Announcer { store, field, version, begun: Instant::now(), started_at: None }
    }

    /// Announces that the service runs.
    pub async fn announce(&mut self, broker: Option<BrokerLink>) -> Result<(), StoreError> {
        let started_at = match self.started_at {
            Some(started_at) => started_at,
            None => {
                let age_ms = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
                let now = self.store.now().await?;
                Timestamp::from_ms(now.ms().saturating_sub(age_ms))
            }
        };
        self.started_at = Some(started_at);
        let broker = broker.map(|link| match link {
            BrokerLink::Down(why) => BrokerLink::Down(why.chars().take(WHY_CHARACTERS).collect()),
            BrokerLink::Up => BrokerLink::Up,
        });
        let about = About { version: self.version.to_owned(), started_at, broker };
        let about = serde_json::to_string(&about).unwrap_or_default();
        let answer = self.store.call(&ANNOUNCE, |call| {
            call.arg(&self.field).arg(about).arg(MAX_SILENCE.as_millis() as u64);
        });
        answer.await?.decode(|words| (words == ["announced"]).then_some(()))
    }

    /// Announces that the service has ended.
    pub async fn retract(&self) -> Result<(), StoreError> {
        let mut command = redis::cmd("HDEL");
        command.arg(self.store.keys.services()).arg(&self.field);
        Ok(command.exec_async(&mut self.store.connection.clone()).await?)
    }
}
