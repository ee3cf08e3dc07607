//! The connection that all calls of a handle share. One that does not answer in time is given up, and the next call
//! makes a new one: a peer that vanished without a word (its machine died, a packet filter forgot us) ends no
//! connection, and the client library reconnects only what was ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};

/// A connection. Cheap to clone; clones share it, and what replaces it.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    settings: ConnectionManagerConfig,
    current: Arc<Mutex<Current>>,
}

struct Current {
    manager: ConnectionManager,
    /// Tells a connection from the one that replaced it.
    generation: u64,
}

impl Connection {
    /// Makes one without connecting: the first call does. Must be called inside a runtime.
    pub(super) fn new(
        client: Client,
        settings: ConnectionManagerConfig,
    ) -> RedisResult<Connection> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), settings.clone())?;
        let current = Arc::new(Mutex::new(Current { manager, generation: 0 }));
        Ok(Connection { client, settings, current })
    }

    async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&mut ConnectionManager) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let (mut manager, generation) = {
            let current = self.lock();
            (current.manager.clone(), current.generation)
        };
        let answer = call(&mut manager).await;
        if answer.as_ref().is_err_and(RedisError::is_timeout) {
            self.replace(generation)?;
        }
        answer
    }

    /// Gives up the connection of this generation, unless another call has done so.
    fn replace(&self, generation: u64) -> RedisResult<()> {
        let mut current = self.lock();
        if current.generation == generation {
            let (client, settings) = (self.client.clone(), self.settings.clone());
            current.manager = ConnectionManager::new_lazy_with_config(client, settings)?;
            current.generation += 1;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.call(async move |manager| manager.req_packed_command(command).await))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(
            self.call(async move |manager| {
                manager.req_packed_commands(pipeline, offset, count).await
            }),
        )
    }

    fn get_db(&self) -> i64 {
        self.lock().manager.get_db()
    }
}
