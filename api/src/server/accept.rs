//! Takes connections and serves each, within limits: on how many there are, how large a head of a
//! request is, and how long it takes to come.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use super::Exposure;
use super::seats::{Seat, Seats};
use super::stream::{Seated, Transport};
use crate::auth::Peer;
use crate::tls::Tls;

/// A head, and a TLS handshake, must be there within this time; so long a connection may be idle
/// between two requests.
const HEAD_LIMIT: Duration = Duration::from_secs(20);
/// A head is at most so large: more is answered 431.
const HEAD_BYTES: usize = 32 * 1024;
const MOST_HEADERS: usize = 64;
/// How long to wait after the system could not give us another connection: it has no files left,
/// say.
const PAUSE: Duration = Duration::from_millis(100);

/// What serves requests.
pub(super) trait Serves:
    Service<Request, Response = Response, Error = std::convert::Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Serves for S where
    S: Service<Request, Response = Response, Error = std::convert::Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Serves until `stop`, and then until every open request is answered.
pub(super) async fn serve(
    listener: TcpListener,
    service: impl Serves,
    exposure: &Exposure,
    tls: Option<Arc<Tls>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let seats = Seats::new(exposure);
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        while connections.try_join_next().is_some() {}
        let (connection, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                continue;
            }
        };
        let address = address.ip().to_canonical();
        let Some(seat) = stop.run_until_cancelled(seats.take(address)).await else { break };
        let Some(seat) = seat else {
            tracing::debug!(%address, "an address has its share of connections");
            continue;
        };
        let (service, tls, stop) = (service.clone(), tls.clone(), stop.clone());
        connections.spawn(async move {
            if let Err(error) = connected(connection, address, seat, (service, tls), stop).await {
                tracing::debug!(%address, %error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// One connection, from its handshake to its end.
async fn connected(
    connection: TcpStream,
    address: IpAddr,
    seat: Seat,
    (service, tls): (impl Serves, Option<Arc<Tls>>),
    stop: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Small answers are sent at once.
    connection.set_nodelay(true)?;
    let inner: Box<dyn Transport> = match tls {
        None => Box::new(connection),
        Some(tls) => {
            let shaking = tokio::time::timeout(HEAD_LIMIT, tls.acceptor().accept(connection));
            let shaking = stop.run_until_cancelled(shaking);
            match seat.given_up().run_until_cancelled(shaking).await.flatten() {
                Some(shaken) => Box::new(shaken??),
                None => return Ok(()),
            }
        }
    };
    let service = service.map_request(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(address));
        request.map(axum::body::Body::new)
    });
    let io = TokioIo::new(Seated::new(inner, seat));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MOST_HEADERS)
        .serve_connection(io, TowerToHyperService::new(service))
        .with_upgrades();
    let mut serving = pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    Ok(serving.await?)
}
