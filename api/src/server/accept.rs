//! Accepts connections and serves each, with limits on their number, on the size of a request head
//! and on the time it may take.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::normalize_path::NormalizePath;

use super::connection::{LimitedConnection, Transport};
use super::connection_limit::{ConnectionLimit, ConnectionPermit};
use super::tls::Tls;
use crate::auth::Peer;
use crate::settings::Exposure;

/// How long a request head or a TLS handshake may take, and how long a connection may be idle
/// between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest request head; a larger one is answered 431.
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;
/// The pause after the system refused a connection, for example for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection whose peer answers no probe is closed: the first probe is sent after this long
/// without traffic, then one every [`PROBE_PERIOD`].
const IDLE_TIME: Duration = Duration::from_secs(30);
const PROBE_PERIOD: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;
/// A connection whose peer acknowledges nothing for this long is closed.
#[cfg(target_os = "linux")]
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// What serves requests.
#[derive(Clone)]
pub(super) struct Service {
    /// The routes, for paths with and without a trailing slash.
    pub(super) routes: NormalizePath<Router>,
    /// The encryption of connections, if any.
    pub(super) tls: Option<Arc<Tls>>,
}

/// Serves until `stop`, and then until every open request is answered.
pub(super) async fn serve(
    listener: TcpListener,
    service: Service,
    exposure: &Exposure,
    stop: CancellationToken,
) -> io::Result<()> {
    let limit = ConnectionLimit::new(exposure);
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        while connections.try_join_next().is_some() {}
        let (connection, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                continue;
            }
        };
        let address = address.ip().to_canonical();
        let Some(permit) = stop.run_until_cancelled(limit.acquire(address)).await else { break };
        let Some(permit) = permit else {
            tracing::debug!(%address, "closed a connection: its address has too many");
            continue;
        };
        let serving = serve_connection(connection, address, permit, service.clone(), stop.clone());
        connections.spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%address, %error, "a connection failed");
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves one connection, from its TLS handshake to its end.
async fn serve_connection(
    connection: TcpStream,
    address: IpAddr,
    permit: ConnectionPermit,
    Service { routes, tls }: Service,
    stop: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Small answers are sent at once.
    connection.set_nodelay(true)?;
    detect_vanished_peer(&connection)?;
    let transport: Box<dyn Transport> = match tls {
        None => Box::new(connection),
        Some(tls) => {
            let handshake = tokio::time::timeout(HEAD_TIMEOUT, tls.acceptor().accept(connection));
            let handshake = stop.run_until_cancelled(handshake);
            match permit.evicted().run_until_cancelled(handshake).await.flatten() {
                Some(encrypted) => Box::new(encrypted??),
                None => return Ok(()),
            }
        }
    };
    let service = routes.map_request(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(address));
        request.map(axum::body::Body::new)
    });
    let io = TokioIo::new(LimitedConnection::new(transport, permit));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(io, TowerToHyperService::new(service))
        .with_upgrades();
    let mut serving = pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    Ok(serving.await?)
}

/// Makes the connection fail if its peer has vanished without closing it. Otherwise it would keep a
/// place, and the place of its stream, until the system gives up sending, after a quarter of an
/// hour.
fn detect_vanished_peer(connection: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(IDLE_TIME).with_interval(PROBE_PERIOD);
    let socket = SockRef::from(connection);
    socket.set_tcp_keepalive(&keepalive.with_retries(PROBES))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGEMENT_TIMEOUT))?;
    Ok(())
}
