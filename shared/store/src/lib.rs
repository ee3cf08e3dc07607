//! The truth about jobs, in Redis. Every change is one script (`store/<verb>.lua`) with one method that
//! calls it; `read` holds the plain reads. Nothing outside this module says `redis::`.

mod answer;
mod audit;
mod batch;
pub mod batcher;
mod change;
mod config;
mod configs;
mod connection;
mod crons;
mod defaults;
mod dump;
mod finish;
mod fire;
mod heart;
mod history;
mod keys;
mod locks;
mod loops;
mod notify;
mod outbox;
mod read;
mod script;
mod start;
mod stop;
mod subscriptions;
mod text;
mod wake;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

pub use audit::{AUDIT_KEPT, AuditFilter, Audited, AuditedChange};
pub use change::{Changed, JobChange};
pub use config::StoreConfig;
pub use configs::{ActionConfig, MAX_ACTION_CONFIGS};
pub use crons::{Cron, CronSet, MAX_CRONS, SetCron, Skip};
pub use defaults::{ActionDefaults, RunningPer};
pub use dump::Dumped;
pub use finish::{Finish, Finished};
pub use fire::{DueCron, DueCrons, Fired};
pub use heart::{Beat, Expired, Left, Orders, Pulse, Verdict};
pub use history::{Settings, SettingsChanges, Trimmed};
pub use locks::{Holder, Lock, Waiter};
pub use loops::{Due, Reoffer};
pub use notify::{MAX_DELIVERIES, News, Notice, Notified};
pub use outbox::{Entry, Outbox, Ready};
pub use read::{
    Events, Filter, Index, JobPage, LogLine, Missed, Needs, Place, Queue, QueueLoad, Related,
    Relative, Row, Rows, Worker, WorkerStatus,
};
pub use start::{
    BadRelation, ClaimAnswer, ClaimRequest, Claims, Relation, Submission, Submitted, UNKNOWN,
};
pub use stop::{Cancelling, Deleting, Retrying, Steer, Steered};
pub use subscriptions::{
    DeliveryFailure, MAX_SUBSCRIPTIONS, SetSubscription, Subscription, SubscriptionRecord,
    SubscriptionSet, Tried,
};
pub use text::{Appended, Line, Source};
pub use wake::{Hint, Hints};

use connection::Connection;
use keys::Keys;
use script::Scripts;

use domain::settings::InvalidSetting;

pub use domain::event::{Event, EventId, InvalidEventId};

/// The store answered something that it never should, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Redis is away, slow, full, or refused the call.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// A script's answer is none of the words in its header.
    #[error("script {script} answered {answer}, which its header does not name")]
    Answer {
        /// The script's verb.
        script: &'static str,
        /// What came instead.
        answer: String,
    },
    /// A record cannot be read as what it should be.
    #[error("{key} cannot be read: {why}")]
    Record {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The namespace has as many queues as it may have.
    #[error(
        "queue {0:?} would be one more than this namespace may have: use fewer kinds of capacity maps"
    )]
    TooManyQueues(String),
    /// The system has no randomness to make a secret of.
    #[error("no secret can be made: {0}")]
    Random(std::io::Error),
    /// A setting of the store cannot be used.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A submission names another job that it must not name.
    #[error("{0}")]
    Relation(#[from] BadRelation),
}

impl StoreError {
    /// True when the same call may succeed later: Redis is away, loading, slow or full.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, StoreError::Redis(_))
    }
}

/// A handle on one namespace of the store. Cheap to clone; clones share one connection.
#[derive(Clone)]
pub struct Store {
    client: redis::Client,
    connection: Connection,
    // Walks over many jobs have a connection of their own, and one step at a time: nobody waits behind them.
    walks: (Connection, Arc<Mutex<()>>),
    keys: Keys,
    scripts: &'static Scripts,
    // Claims so far, which tells a late one from the last.
    claims: Arc<AtomicU64>,
}

/// Every call ends within this time, so that nobody hangs on a store that is away.
const CALL_LIMIT: Duration = Duration::from_secs(3);

impl Store {
    /// Makes a handle without connecting: the first call does. Must be called inside a runtime.
    pub fn new(config: &StoreConfig) -> Result<Store, StoreError> {
        let client = connection::client(config)?;
        let connection = Connection::new(client.clone(), CALL_LIMIT)?;
        let walks = (Connection::new(client.clone(), CALL_LIMIT)?, Arc::default());
        let keys = Keys::new(&config.namespace);
        let claims = Arc::default();
        Ok(Store { client, connection, walks, keys, scripts: Scripts::all(), claims })
    }

    /// The connection of walks, and the turn of one step.
    async fn walking(&self) -> (Connection, OwnedMutexGuard<()>) {
        (self.walks.0.clone(), Arc::clone(&self.walks.1).lock_owned().await)
    }

    /// Waits until Redis answers, saying so while it does not; then says loudly whether it can lose jobs.
    /// Returns false when `shutdown` came first.
    pub async fn wait_until_ready(&self, shutdown: &CancellationToken) -> bool {
        let mut tries = 0_u32;
        loop {
            match self.ping().await {
                Ok(()) => break,
                Err(error) if tries.is_multiple_of(10) => {
                    tracing::warn!(%error, "waiting for redis");
                }
                Err(_) => {}
            }
            tries += 1;
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
        if let Err(error) = self.warn_of_a_store_that_can_lose_jobs().await {
            tracing::warn!(%error, "cannot read the settings of redis: is it durable, noeviction?");
        }
        true
    }

    /// One round trip.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("PING").exec_async(&mut connection).await?)
    }

    /// The store's clock, ms since 1970. To ask what is old; what is due is decided inside the scripts.
    async fn now_ms(&self) -> Result<i64, StoreError> {
        let mut connection = self.connection.clone();
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    async fn warn_of_a_store_that_can_lose_jobs(&self) -> Result<(), StoreError> {
        let wanted = [
            ("appendonly", "yes", "jobs answered 202 are lost when redis restarts"),
            (
                "appendfsync",
                "always",
                "the last second of answered jobs is lost when its machine dies",
            ),
            ("maxmemory-policy", "noeviction", "redis may throw jobs away when it is full"),
        ];
        let mut connection = self.connection.clone();
        for (name, value, otherwise) in wanted {
            let mut command = redis::cmd("CONFIG");
            let found: Vec<String> =
                command.arg("GET").arg(name).query_async(&mut connection).await?;
            if found.get(1).is_some_and(|found| found != value) {
                tracing::warn!(setting = name, found = ?found[1], wanted = value, "{otherwise}");
            }
        }
        Ok(())
    }

    /// Removes every key of the namespace. For test houses and benches.
    pub async fn remove_namespace(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        loop {
            let found = self.keys_of_namespace().await?;
            if found.is_empty() {
                return Ok(());
            }
            for some in found.chunks(1000) {
                redis::cmd("UNLINK").arg(some).exec_async(&mut connection).await?;
            }
        }
    }

    /// The names of all keys of the namespace, sorted. For tests: it walks the whole of Redis.
    pub async fn keys_of_namespace(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.connection.clone();
        let (mut cursor, mut names) = (0_u64, Vec::new());
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(self.keys.pattern()).arg("COUNT").arg(1000);
            let (next, found): (u64, Vec<String>) = command.query_async(&mut connection).await?;
            names.extend(found);
            if next == 0 {
                names.sort();
                return Ok(names);
            }
            cursor = next;
        }
    }
}
