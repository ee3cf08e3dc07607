//! Offers jobs again whose offers were lost.

use std::time::Duration;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::queue::QueueName;

static REDISPATCH: Script = Script::new("redispatch", include_str!("redispatch.lua"));

/// How many jobs one call offers: a script blocks Redis.
const MOST_PER_CALL: u32 = 200;

/// The jobs of one queue to offer again.
#[derive(Debug, Clone)]
pub struct Redispatch {
    /// The queue.
    pub queue: QueueName,
    /// Only jobs last offered at least this long ago.
    pub age: Duration,
    /// Only jobs offered this long before the newest claimed job of the queue; `None` for all,
    /// because the queue of the broker is empty.
    pub behind: Option<Duration>,
}

/// What one call has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redispatched {
    /// Jobs that were offered again.
    pub offered: u64,
    /// Members of the queue that were removed, because their jobs do not wait in it.
    pub removed: u64,
}

impl Store {
    /// Offers jobs again whose offers seem lost; call again while it does anything.
    pub async fn redispatch(&self, which: &Redispatch) -> Result<Redispatched, StoreError> {
        let answer = self.call(&REDISPATCH, |call| {
            call.arg(which.queue.to_string());
            let behind = which.behind.map(|behind| behind.as_millis().to_string());
            call.arg(which.age.as_millis() as u64).arg(behind.unwrap_or_default());
            call.arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["offered", offered, removed] => Some(Redispatched {
                offered: offered.parse().ok()?,
                removed: removed.parse().ok()?,
            }),
            _ => None,
        })
    }
}
