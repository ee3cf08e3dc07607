//! The handle on one namespace: connections, keys, and how a script is called.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use redis::ScriptInvocation;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::config::StoreConfig;
use crate::connection::{CALL_LIMIT, Connection};
use crate::endpoint::Endpoint;
use crate::error::StoreError;
use crate::keys::Keys;
use crate::left_out::LeftOut;
use crate::replication::Replication;
use crate::script::Script;
use domain::job::Timestamp;

/// A handle on one namespace of the store. Cheap to clone; clones share one connection.
#[derive(Clone)]
pub struct Store {
    pub(crate) connection: Connection,
    // Walks over many jobs have a connection of their own and take turns, so that no other call
    // waits behind them.
    walks: (Connection, Arc<Mutex<()>>),
    // `WAIT` blocks a connection, so it has one of its own.
    pub(crate) replication: Option<Replication>,
    pub(crate) keys: Keys,
    // The number of claims so far, by which a script recognises a late one.
    pub(crate) claims: Arc<AtomicU64>,
    // How often the connection had failed when the namespace was opened last, plus one; 0 before.
    pub(crate) opened: Arc<AtomicU64>,
    pub(crate) left_out: LeftOut,
}

impl Store {
    /// Makes a handle without connecting: the first call does. Must be called inside a runtime.
    pub fn new(config: &StoreConfig) -> Result<Store, StoreError> {
        let connection = Connection::new(Endpoint::new(config)?, CALL_LIMIT)?;
        let walks = (connection.another(CALL_LIMIT)?, Arc::default());
        let replication = Replication::new(&connection, config.replicas)?;
        let keys = Keys::new(&config.namespace);
        Ok(Store {
            connection,
            walks,
            replication,
            keys,
            claims: Arc::default(),
            opened: Arc::default(),
            left_out: LeftOut::default(),
        })
    }

    /// Calls a script of an open namespace: the root is its key, then come what `arguments` adds.
    pub(crate) async fn call(
        &self,
        script: &'static Script,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<Answer, StoreError> {
        self.ensure_open().await?;
        self.invoke(script, arguments).await
    }

    /// Calls a script.
    pub(crate) async fn invoke(
        &self,
        script: &'static Script,
        arguments: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<Answer, StoreError> {
        let mut connection = self.connection.clone();
        let mut invocation = script.assembled().prepare_invoke();
        invocation.key(self.keys.root());
        arguments(&mut invocation);
        let value: redis::Value = invocation.invoke_async(&mut connection).await?;
        Ok(Answer::new(script.name(), value))
    }

    /// The connection of walks, and the turn to take one step.
    pub(crate) async fn walking(&self) -> (Connection, OwnedMutexGuard<()>) {
        (self.walks.0.clone(), Arc::clone(&self.walks.1).lock_owned().await)
    }

    /// How many records this process has left out of lists because they cannot be read.
    #[must_use]
    pub fn left_out_records(&self) -> u64 {
        self.left_out.count()
    }

    /// One round trip.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("PING").exec_async(&mut connection).await?)
    }

    /// Checks that Redis accepts writes: a replica answers reads only. Deletes a key that does not
    /// exist, which changes nothing and costs no disk access.
    pub async fn check_writes(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("DEL").arg(self.keys.check()).exec_async(&mut connection).await?)
    }

    /// The store's clock. Scripts decide what is due; a read uses this to select what is old.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let mut connection = self.connection.clone();
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
        Ok(Timestamp::from_ms(seconds * 1000 + micros / 1000))
    }

    /// Waits until Redis answers, and logs that it does not; then warns when Redis can lose jobs.
    /// Returns false when `shutdown` came first. Fails when the namespace has the format of another
    /// build.
    pub async fn wait_until_ready(&self, shutdown: &CancellationToken) -> Result<bool, StoreError> {
        let mut tries = 0_u32;
        loop {
            match self.ensure_open().await {
                Ok(()) => break,
                Err(error @ StoreError::OtherFormat { .. }) => return Err(error),
                Err(error) if tries.is_multiple_of(10) => {
                    tracing::warn!(%error, "waiting for redis");
                }
                Err(_) => {}
            }
            tries += 1;
            tokio::select! {
                () = shutdown.cancelled() => return Ok(false),
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
        if let Err(error) = self.warn_when_jobs_can_be_lost().await {
            tracing::warn!(%error, "cannot read the settings of redis: is it durable, noeviction?");
        }
        Ok(true)
    }

    async fn warn_when_jobs_can_be_lost(&self) -> Result<(), StoreError> {
        let wanted = [
            ("appendonly", "yes", "jobs answered 202 are lost when redis restarts"),
            (
                "appendfsync",
                "always",
                "the last second of answered jobs is lost when its machine dies",
            ),
            ("maxmemory-policy", "noeviction", "redis may evict jobs when it is full"),
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
        if self.memory_use().await?.limit_bytes == 0 {
            tracing::warn!(
                setting = "maxmemory",
                "redis has no limit, so the system may kill it when it is full: set one below the \
                 memory of its machine, and new jobs are refused instead"
            );
        }
        Ok(())
    }

    /// The processor time that Redis has used, all namespaces together. For benches.
    pub async fn processor_time(&self) -> Result<Duration, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("INFO");
        let info: redis::InfoDict = command.arg("cpu").query_async(&mut connection).await?;
        let seconds = |name: &str| info.get::<f64>(name).unwrap_or_default();
        Ok(Duration::from_secs_f64(seconds("used_cpu_user") + seconds("used_cpu_sys")))
    }
}
