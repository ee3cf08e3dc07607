//! What piles up in the store, for metrics: entries of the outbox, messages of subscriptions, jobs
//! behind a lock. Three round trips whose answers are bounded.

use redis::streams::StreamRangeReply;

use crate::error::StoreError;
use crate::store::Store;
use domain::job::{JobId, Timestamp};
use domain::lock::LockName;
use domain::subscription::SubscriptionName;

/// How many contended locks are looked at.
const MAX_LOCKS: usize = 100;
/// How many holders of each lock are looked at.
const MAX_HOLDERS: usize = 10;

/// What piles up in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlogs {
    /// How many entries the outbox has.
    pub outbox: u64,
    /// When the oldest of them was written.
    pub oldest_in_outbox: Option<Timestamp>,
    /// How many messages of subscriptions are not delivered.
    pub deliveries: u64,
    /// Since when a job has held a lock for which others wait: the longest time. Limits of actions
    /// and classes are no such locks.
    pub held_since: Option<Timestamp>,
}

impl Store {
    /// Reads what piles up.
    pub async fn backlogs_of_store(&self) -> Result<Backlogs, StoreError> {
        let mut connection = self.connection.clone();
        let mut pipe = redis::pipe();
        pipe.xlen(self.keys.outbox());
        pipe.cmd("XRANGE").arg(self.keys.outbox()).arg("-").arg("+").arg("COUNT").arg(1);
        pipe.smembers(self.keys.subscriptions());
        pipe.cmd("SRANDMEMBER").arg(self.keys.contended()).arg(MAX_LOCKS);
        type First = (u64, StreamRangeReply, Vec<String>, Vec<String>);
        let (outbox, oldest, subscriptions, locks): First =
            pipe.query_async(&mut connection).await?;
        let oldest = oldest.ids.first().and_then(|entry| entry.id.split('-').next()?.parse().ok());
        let mut backlogs = Backlogs {
            outbox,
            oldest_in_outbox: oldest.map(Timestamp::from_ms),
            ..Backlogs::default()
        };

        let subscriptions: Vec<SubscriptionName> =
            subscriptions.iter().filter_map(|name| name.parse().ok()).collect();
        let locks = locks.iter().filter_map(|name| name.parse::<LockName>().ok());
        let locks: Vec<LockName> = locks.filter(|name| !name.is_reserved()).collect();
        let mut pipe = redis::pipe();
        // An empty pipeline would never be answered.
        pipe.cmd("PING").ignore();
        for name in &subscriptions {
            pipe.scard(self.keys.deliveries(name));
        }
        for name in &locks {
            pipe.cmd("HRANDFIELD").arg(self.keys.lock(name)).arg(MAX_HOLDERS);
        }
        let replies: Vec<redis::Value> = pipe.query_async(&mut connection).await?;
        let (counts, holders) = replies.split_at(subscriptions.len());
        for count in counts {
            backlogs.deliveries += redis::from_redis_value_ref::<u64>(count).unwrap_or_default();
        }
        let holders = holders
            .iter()
            .flat_map(|ids| redis::from_redis_value_ref::<Vec<String>>(ids).unwrap_or_default());
        backlogs.held_since = self.first_start(holders).await?;
        Ok(backlogs)
    }

    /// Returns when the first of these jobs started.
    async fn first_start(
        &self,
        ids: impl Iterator<Item = String>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("PING").ignore();
        for id in ids.filter_map(|id| id.parse::<JobId>().ok()) {
            pipe.hget(self.keys.job(id), "startedAt");
        }
        let starts: Vec<Option<i64>> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(starts.into_iter().flatten().min().map(Timestamp::from_ms))
    }
}
