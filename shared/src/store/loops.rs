//! What the scheduler's ticker and reaper move.

use std::time::Duration;

use super::answer::{read, unknown};
use super::{Store, StoreError};
use crate::queue::QueueName;

/// What became due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many jobs went to the outbox.
    pub moved: u64,
    /// How long until the next one; `None` when none is known.
    pub next: Option<Duration>,
}

/// Which jobs of one queue to offer again.
#[derive(Debug, Clone)]
pub struct Reoffer {
    /// The queue.
    pub queue: QueueName,
    /// Only jobs last offered at least this long ago.
    pub age: Duration,
}

/// How many jobs one call moves: a script blocks Redis.
const MOST_PER_CALL: u32 = 200;

impl Store {
    /// Moves jobs whose time has come to the outbox; call again while it moves some.
    pub async fn due(&self) -> Result<Due, StoreError> {
        let answer = self.call(&self.scripts.due, |call| {
            call.arg(MOST_PER_CALL);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["moved", count, wait] => {
                let wait: i64 = read("due", wait)?;
                let next = u64::try_from(wait).ok().map(Duration::from_millis);
                Ok(Due { moved: read("due", count)?, next })
            }
            _ => Err(unknown("due", &words)),
        }
    }

    /// Offers jobs again whose offers seem lost; returns how many.
    pub async fn reoffer(&self, which: &Reoffer) -> Result<u64, StoreError> {
        let answer = self.call(&self.scripts.reoffer, |call| {
            call.arg(which.queue.class.as_str()).arg(which.queue.priority.as_str());
            call.arg(which.age.as_millis() as u64).arg(MOST_PER_CALL);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["offered", count] => read("reoffer", count),
            _ => Err(unknown("reoffer", &words)),
        }
    }
}
