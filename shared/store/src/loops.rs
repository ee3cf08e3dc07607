//! What the scheduler's ticker and reaper move.

use std::time::Duration;

use super::answer::{read, unknown};
use super::{Store, StoreError};
use domain::queue::QueueName;

/// What became due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many jobs went to the outbox.
    pub moved: u64,
    /// How long until the next one; `None` when none is known.
    pub next: Option<Duration>,
    /// How long until the next waiting job expires; `None` when none is known.
    pub expiring: Option<Duration>,
}

/// Which jobs of one queue to offer again.
#[derive(Debug, Clone)]
pub struct Reoffer {
    /// The queue.
    pub queue: QueueName,
    /// Only jobs last offered at least this long ago.
    pub age: Duration,
    /// Only jobs offered so long before the last one that was claimed; `None` is all of them, because the broker's
    /// queue is empty.
    pub behind: Option<Duration>,
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
            ["moved", count, next, expiring] => {
                let wait = |word: &str| {
                    let ms: i64 = read("due", word)?;
                    Ok::<_, StoreError>(u64::try_from(ms).ok().map(Duration::from_millis))
                };
                let (next, expiring) = (wait(next)?, wait(expiring)?);
                Ok(Due { moved: read("due", count)?, next, expiring })
            }
            _ => Err(unknown("due", &words)),
        }
    }

    /// Ends jobs that were not started before they expired; returns how many. Call again while it ends some.
    pub async fn lapse(&self) -> Result<u64, StoreError> {
        let answer = self.call(&self.scripts.lapse, |call| {
            call.arg(MOST_PER_CALL);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["lapsed", count] => read("lapse", count),
            _ => Err(unknown("lapse", &words)),
        }
    }

    /// Carries out what hangs on the ends of jobs: dependents, parents, children. Returns how many jobs were looked at,
    /// and how many notes are left; call again while there are some.
    pub async fn settle(&self) -> Result<(u64, u64), StoreError> {
        let answer = self.call(&self.scripts.settle, |call| {
            call.arg(MOST_PER_CALL / 2);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["settled", moved, left] => Ok((read("settle", moved)?, read("settle", left)?)),
            _ => Err(unknown("settle", &words)),
        }
    }

    /// Offers jobs again whose offers seem lost; returns how many.
    pub async fn reoffer(&self, which: &Reoffer) -> Result<u64, StoreError> {
        let answer = self.call(&self.scripts.reoffer, |call| {
            call.arg(which.queue.class.as_str()).arg(which.queue.priority.as_str());
            let behind = which.behind.map(|behind| behind.as_millis().to_string());
            call.arg(which.age.as_millis() as u64).arg(behind.unwrap_or_default());
            call.arg(MOST_PER_CALL);
        });
        let words = answer.await?.words()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["offered", count] => read("reoffer", count),
            _ => Err(unknown("reoffer", &words)),
        }
    }
}
