//! A shared connection to Redis that is replaced when it breaks and when it no longer answers. The
//! client's manager replaces only what breaks. A peer that vanished (a moved container, a machine
//! without power, a proxy that hangs) breaks nothing: it just never answers again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, RedisFuture,
    RedisResult, ServerErrorKind, TlsCertificates, Value,
};

use domain::settings::InvalidSetting;

use crate::config::StoreConfig;
use crate::error::StoreError;

/// Every call ends within this time, also when the store is unreachable.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(3);

/// How long sent data may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(6);

/// A client whose connections notice within seconds that the other side has vanished.
pub(super) fn client(config: &StoreConfig) -> Result<Client, StoreError> {
    let bad = |error| InvalidSetting::new("CAPSTAN_REDIS_URL", error);
    let probes = TcpKeepalive::new()
        .with_time(UNACKNOWLEDGED)
        .with_interval(Duration::from_secs(2))
        .with_retries(3);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(probes)
        .set_user_timeout(UNACKNOWLEDGED);
    let mut endpoint = config.redis_url.as_str().into_connection_info().map_err(bad)?;
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
}

#[derive(Clone)]
struct Current {
    number: u64,
    manager: ConnectionManager,
}

impl Connection {
    /// Makes a connection without connecting: the first call does. A call fails after `limit`. Must
    /// be called inside a runtime.
    pub(super) fn new(client: Client, limit: Duration) -> RedisResult<Connection> {
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CALL_LIMIT))
            .set_response_timeout(Some(limit));
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), settings.clone())?;
        let current = Mutex::new(Current { number: 0, manager });
        Ok(Connection(Arc::new(Shared { client, settings, current, failures: AtomicU64::new(0) })))
    }

    /// How often it has failed: after that the next call may reach another server.
    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Acquire)
    }

    fn current(&self) -> Current {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a failure, and replaces the connection after a call that was not answered in time. Calls under way on the
    /// old one may still be answered there.
    fn replace_if_late<T>(&self, used: u64, answer: &RedisResult<T>) {
        let Err(error) = answer else { return };
        if is_failure(error) {
            self.0.failures.fetch_add(1, Ordering::AcqRel);
        }
        if !error.is_timeout() {
            return;
        }
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == used {
            let (client, settings) = (self.0.client.clone(), self.0.settings.clone());
            if let Ok(manager) = ConnectionManager::new_lazy_with_config(client, settings) {
                *current = Current { number: used + 1, manager };
            }
        }
    }
}

/// True when the call after this error may reach another server.
fn is_failure(error: &RedisError) -> bool {
    let read_only = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
    read_only || error.is_timeout() || error.is_io_error() || error.is_unrecoverable_error()
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut current = self.current();
            let answer = current.manager.req_packed_command(command).await;
            self.replace_if_late(current.number, &answer);
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
            self.replace_if_late(current.number, &answer);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.current().manager.get_db()
    }
}
