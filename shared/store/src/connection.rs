//! A shared connection to Redis that is replaced when it breaks, when it no longer answers, and when
//! its server is no longer the primary. The client's manager replaces only what breaks. A peer that
//! vanished (a moved container, a machine without power, a proxy that hangs) breaks nothing: it just
//! never answers again. Nor does a primary that became a replica: it answers every read, also ones
//! that are out of date. A new connection looks up the address again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult,
    ServerErrorKind, TlsCertificates, Value,
};

use domain::settings::InvalidSetting;

use crate::config::StoreConfig;
use crate::error::StoreError;

/// Every call ends within this time, also when the store is unreachable.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(3);

/// How long sent data may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(6);

/// How old a connection must be before it is replaced because its server is not the primary. While
/// there is no primary, replacing more often would only make connections.
const MIN_AGE: Duration = Duration::from_millis(500);

/// How the URL of a Redis server is written.
const URL_FORM: &str = "it must be like redis://HOST:PORT, or rediss://HOST:PORT with TLS";

/// A client whose connections notice within seconds that the other side has vanished.
pub(super) fn client(config: &StoreConfig) -> Result<Client, StoreError> {
    let probes = TcpKeepalive::new()
        .with_time(UNACKNOWLEDGED)
        .with_interval(Duration::from_secs(2))
        .with_retries(3);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(probes)
        .set_user_timeout(UNACKNOWLEDGED);
    // The URL may contain a password, so an error does not repeat it.
    let endpoint = config.redis_url.as_str().into_connection_info();
    let mut endpoint = endpoint.map_err(|_| InvalidSetting::new("CAPSTAN_REDIS_URL", URL_FORM))?;
    if let Some(password) = &config.password {
        let known = endpoint.redis_settings().clone().set_password(password);
        endpoint = endpoint.set_redis_settings(known);
    }
    let endpoint = endpoint.set_tcp_settings(settings);
    if !matches!(endpoint.addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(Client::open(endpoint)?);
    }
    let root_cert = config.authorities.clone().map(String::into_bytes);
    let trusted = TlsCertificates { client_tls: None, root_cert };
    Client::build_with_tls(endpoint, trusted)
        .map_err(|error| InvalidSetting::new("CAPSTAN_REDIS_CA", error).into())
}

/// One connection; clones share it.
#[derive(Clone)]
pub(super) struct Connection(Arc<Shared>);

struct Shared {
    client: Client,
    settings: ConnectionManagerConfig,
    current: Mutex<Current>,
    failures: AtomicU64,
    demotions: Demotions,
}

/// How often a server was found not to be the primary. All connections of a store count together: one
/// that only reads would not notice.
type Demotions = Arc<AtomicU64>;

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
    pub(super) fn new(client: Client, limit: Duration) -> RedisResult<Connection> {
        Connection::counting(client, limit, Arc::default())
    }

    /// Makes another connection to the same server, as [`Connection::new`] does.
    pub(super) fn another(&self, limit: Duration) -> RedisResult<Connection> {
        Connection::counting(self.0.client.clone(), limit, Arc::clone(&self.0.demotions))
    }

    fn counting(client: Client, limit: Duration, demotions: Demotions) -> RedisResult<Connection> {
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CALL_LIMIT))
            .set_response_timeout(Some(limit));
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), settings.clone())?;
        let current = Current {
            number: 0,
            demotions: demotions.load(Ordering::SeqCst),
            made_at: Instant::now(),
            manager,
        };
        Ok(Connection(Arc::new(Shared {
            client,
            settings,
            current: Mutex::new(current),
            failures: AtomicU64::new(0),
            demotions,
        })))
    }

    /// How often it has failed or was replaced: after that, another server may answer.
    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::SeqCst) + self.0.demotions.load(Ordering::SeqCst)
    }

    /// Returns the connection to use; a new one if the server of the old one is not the primary.
    fn current(&self) -> Current {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.demotions != self.0.demotions.load(Ordering::SeqCst) {
            self.replace(&mut current);
        }
        current.clone()
    }

    /// Counts a failed call, and replaces the connection after one that was not answered in time.
    /// Calls under way on the old one may still be answered there.
    fn note_failure<T>(&self, used: u64, answer: &RedisResult<T>) {
        let Err(error) = answer else { return };
        if error.is_timeout() || error.is_io_error() || error.is_unrecoverable_error() {
            self.0.failures.fetch_add(1, Ordering::SeqCst);
        }
        if !error.is_timeout() {
            return;
        }
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == used {
            self.replace(&mut current);
        }
    }

    fn replace(&self, current: &mut Current) {
        let (client, settings) = (self.0.client.clone(), self.0.settings.clone());
        if let Ok(manager) = ConnectionManager::new_lazy_with_config(client, settings) {
            *current = Current {
                number: current.number + 1,
                demotions: self.0.demotions.load(Ordering::SeqCst),
                made_at: Instant::now(),
                manager,
            };
        }
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
            let mut current = self.current();
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
            let mut current = self.current();
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
        self.current().manager.get_db()
    }
}
