//! A shared connection to Redis that is replaced when it breaks, when it no longer answers, and when
//! its server is no longer the primary. The client's manager replaces only what breaks. A peer that
//! vanished (a moved container, a machine without power, a proxy that hangs) breaks nothing: it just
//! never answers again. Nor does a primary that became a replica: it answers every read, also ones
//! that are out of date. A new connection looks up the address again, or asks the sentinels.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ErrorKind, Pipeline, RedisFuture, RedisResult, ServerErrorKind, Value};

use crate::endpoint::Endpoint;

/// Every call ends within this time, also when the store is unreachable. While the primary is
/// looked up, a call may take this time twice.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(3);

/// How old a connection must be before it is replaced because its server is not the primary. While
/// there is no primary, replacing more often would only make connections.
const MIN_AGE: Duration = Duration::from_millis(500);

/// One connection; clones share it.
#[derive(Clone)]
pub(super) struct Connection(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    settings: ConnectionManagerConfig,
    state: Mutex<State>,
    /// Held by the call that looks up the primary, while the others wait for it.
    lookup: tokio::sync::Mutex<()>,
    failures: AtomicU64,
    demotions: Demotions,
}

/// How often a server was found not to be the primary. All connections of a store count together: one
/// that only reads would not notice.
type Demotions = Arc<AtomicU64>;

struct State {
    number: u64,
    demotions: u64,
    made_at: Instant,
    /// `None` until the primary is looked up.
    manager: Option<ConnectionManager>,
}

#[derive(Clone)]
struct Current {
    number: u64,
    demotions: u64,
    made_at: Instant,
    manager: ConnectionManager,
}

impl Connection {
    /// Makes a connection without connecting: the first call does. A call fails after `limit`. Must
    /// be called inside a runtime.
    pub(super) fn new(endpoint: Endpoint, limit: Duration) -> RedisResult<Connection> {
        Connection::counting(endpoint, limit, Arc::default())
    }

    /// Makes another connection to the same server, as [`Connection::new`] does.
    pub(super) fn another(&self, limit: Duration) -> RedisResult<Connection> {
        Connection::counting(self.0.endpoint.clone(), limit, Arc::clone(&self.0.demotions))
    }

    fn counting(
        endpoint: Endpoint,
        limit: Duration,
        demotions: Demotions,
    ) -> RedisResult<Connection> {
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CALL_LIMIT))
            .set_response_timeout(Some(limit));
        let mut state = State {
            number: 0,
            demotions: demotions.load(Ordering::SeqCst),
            made_at: Instant::now(),
            manager: None,
        };
        if let Endpoint::Server(client) = &endpoint {
            let client = Client::clone(client);
            state.manager =
                Some(ConnectionManager::new_lazy_with_config(client, settings.clone())?);
        }
        Ok(Connection(Arc::new(Shared {
            endpoint,
            settings,
            state: Mutex::new(state),
            lookup: tokio::sync::Mutex::default(),
            failures: AtomicU64::new(0),
            demotions,
        })))
    }

    /// Finds the primary, for a connection of another kind to it.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        self.0.endpoint.primary().await
    }

    /// How often it has failed or was replaced: after that, another server may answer.
    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::SeqCst) + self.0.demotions.load(Ordering::SeqCst)
    }

    /// Returns the connection to use; a new one if the server of the old one is not the primary.
    async fn current(&self) -> RedisResult<Current> {
        if let Some(current) = self.existing() {
            return Ok(current);
        }
        let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let found = tokio::time::timeout(CALL_LIMIT, self.look_up()).await;
        found.unwrap_or_else(|_| Err(late().into()))
    }

    /// Returns the connection if its server is the primary, as far as is known.
    fn existing(&self) -> Option<Current> {
        let mut state = self.state();
        if state.demotions != self.0.demotions.load(Ordering::SeqCst) {
            self.replace(&mut state);
        }
        let State { number, demotions, made_at, .. } = *state;
        Some(Current { number, demotions, made_at, manager: state.manager.clone()? })
    }

    async fn look_up(&self) -> RedisResult<Current> {
        let _turn = self.0.lookup.lock().await;
        if let Some(current) = self.existing() {
            return Ok(current);
        }
        let client = self.0.endpoint.primary().await?;
        let settings = self.0.settings.clone();
        let manager = ConnectionManager::new_lazy_with_config(client, settings)?;
        let mut state = self.state();
        let (number, made_at) = (state.number, Instant::now());
        state.made_at = made_at;
        state.manager = Some(manager.clone());
        Ok(Current { number, demotions: state.demotions, made_at, manager })
    }

    /// Counts a failed call, and replaces the connection after one that was not answered in time.
    /// Calls under way on the old one may still be answered there. A manager connects to the same
    /// address again, so after any failure the sentinels are asked, if there are any.
    fn note_failure<T>(&self, used: u64, answer: &RedisResult<T>) {
        let Err(error) = answer else { return };
        let failed = error.is_timeout() || error.is_io_error() || error.is_unrecoverable_error();
        if failed {
            self.0.failures.fetch_add(1, Ordering::SeqCst);
        }
        let may_have_moved = failed && matches!(self.0.endpoint, Endpoint::Sentinels(_));
        if !error.is_timeout() && !may_have_moved {
            return;
        }
        let mut state = self.state();
        if state.number == used {
            self.replace(&mut state);
        }
    }

    fn replace(&self, state: &mut State) {
        let manager = match &self.0.endpoint {
            Endpoint::Server(client) => {
                let (client, settings) = (Client::clone(client), self.0.settings.clone());
                let made = ConnectionManager::new_lazy_with_config(client, settings);
                let Ok(manager) = made else { return };
                Some(manager)
            }
            Endpoint::Sentinels(_) => None,
        };
        *state = State {
            number: state.number + 1,
            demotions: self.0.demotions.load(Ordering::SeqCst),
            made_at: Instant::now(),
            manager,
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets all connections of the store be replaced before their next call if the server answered
    /// that it is not the primary.
    fn note_demotion(&self, used: &Current, refusal: Option<ServerErrorKind>) {
        if refusal.is_some_and(is_not_primary) && used.made_at.elapsed() >= MIN_AGE {
            let (seen, next) = (used.demotions, used.demotions + 1);
            let _ =
                self.0.demotions.compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

/// Returns true if a server that refuses a call like this is not the primary, or has just started:
/// another may have taken its place.
fn is_not_primary(refusal: ServerErrorKind) -> bool {
    use ServerErrorKind::{BusyLoading, MasterDown, ReadOnly};
    matches!(refusal, ReadOnly | MasterDown | BusyLoading)
}

/// Returns how the server refused a call.
fn refusal(answer: &RedisResult<Value>) -> Option<ServerErrorKind> {
    match answer {
        Ok(value) => refusal_of(value),
        Err(error) => refusal_in(error),
    }
}

fn refusal_of(value: &Value) -> Option<ServerErrorKind> {
    if let Value::ServerError(error) = value { error.kind() } else { None }
}

fn refusal_in(error: &redis::RedisError) -> Option<ServerErrorKind> {
    if let ErrorKind::Server(kind) = error.kind() { Some(kind) } else { None }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut current = self.current().await?;
            let answer = current.manager.req_packed_command(command).await;
            self.note_failure(current.number, &answer);
            self.note_demotion(&current, refusal(&answer));
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut current = self.current().await?;
            let answer = current.manager.req_packed_commands(pipeline, offset, count).await;
            self.note_failure(current.number, &answer);
            let refusal = match &answer {
                Ok(values) => values.iter().find_map(refusal_of),
                Err(error) => refusal_in(error),
            };
            self.note_demotion(&current, refusal);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.0.endpoint.database()
    }
}
