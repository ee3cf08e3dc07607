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

impl Store {
    /// Offers jobs again whose offers seem lost; returns how many.
    pub async fn redispatch(&self, which: &Redispatch) -> Result<u64, StoreError> {
        let answer = self.call(&REDISPATCH, |call| {
            call.arg(which.queue.to_string());
            let behind = which.behind.map(|behind| behind.as_millis().to_string());
            call.arg(which.age.as_millis() as u64).arg(behind.unwrap_or_default());
            call.arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["offered", count] => count.parse().ok(),
            _ => None,
        })
    }
}
