//! Socket.IO, as the reference has it: a client says with the event `events` what it wants to hear,
//! and hears it by the same name. What is told here comes from the same stream as the events of v0,
//! so it is never told before it is so.

mod broadcast;
mod message;
mod rooms;
mod running_logs;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::layer::SocketIoLayer;
use tokio::sync::{Notify, watch};

use rooms::{EVENT, room};

/// Messages that wait for a slow client; what comes then is dropped.
const MAX_WAITING: usize = 1024;
/// The largest request or answer of a client that polls.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long a subscription waits until the stream is followed.
const PATIENCE: Duration = Duration::from_secs(3);

/// The clients, and what is done for them.
pub(crate) struct SocketIoServer {
    io: SocketIo,
    connected: Arc<Notify>,
    followed: Arc<watch::Sender<bool>>,
}

/// Why a client is not let in.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("as many clients are connected as may be at once")]
    Full,
    #[error("a page of another origin may not listen")]
    Origin,
}

impl SocketIoServer {
    /// The layer that answers under `/socket.io`, and what tells its clients.
    pub(crate) fn new(most: usize) -> (SocketIoLayer, SocketIoServer) {
        let (layer, io) = SocketIo::builder()
            .req_path("/socket.io")
            .max_buffer_size(MAX_WAITING)
            .max_payload(MAX_BYTES)
            .connect_timeout(PATIENCE)
            .build_layer();
        let connected: Arc<Notify> = Arc::default();
        let followed = Arc::new(watch::Sender::new(false));
        let (to_tell, is_followed) = (Arc::clone(&connected), Arc::clone(&followed));
        let welcome = move |socket: SocketRef| {
            let is_followed = Arc::clone(&is_followed);
            to_tell.notify_one();
            let subscribe =
                async move |socket: SocketRef, TryData(wanted): TryData<Value>, ack: AckSender| {
                    let room = wanted.ok().as_ref().and_then(room);
                    let heard = match room {
                        Some(room) => wait_until_followed(&is_followed).await.then_some(room),
                        None => None,
                    };
                    let answer = if heard.is_some() { Value::Null } else { Value::Bool(false) };
                    // First it is in the room, then it is told so.
                    if let Some(room) = heard {
                        socket.join(room);
                    }
                    if let Err(error) = ack.send(&answer) {
                        tracing::debug!(%error, "a client left before it was answered");
                    }
                };
            socket.on(EVENT, subscribe);
            async {}
        };
        let admit = async move |socket: SocketRef, io: SocketIo| {
            if is_cross_origin(&socket.req_parts().headers) {
                return Err(Refused::Origin);
            }
            if io.sockets().len() >= most { Err(Refused::Full) } else { Ok(()) }
        };
        io.ns("/", welcome.with(admit));
        (layer, SocketIoServer { io, connected, followed })
    }
}

/// Waits until the stream is followed, so that nothing that happens after the answer is missed.
async fn wait_until_followed(followed: &watch::Sender<bool>) -> bool {
    let mut followed = followed.subscribe();
    let waiting = followed.wait_for(|followed| *followed);
    matches!(tokio::time::timeout(PATIENCE, waiting).await, Ok(Ok(_)))
}

/// A page that was not loaded from here: browsers ask nobody before they open a WebSocket.
fn is_cross_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else { return false };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_none() || host != text(HOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_from_here_may_listen() {
        let cases = [
            (None, false),
            (Some("http://here:8080"), false),
            (Some("https://here:8080"), false),
            (Some("http://there"), true),
            (Some("null"), true),
        ];
        for (origin, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "here:8080".parse().unwrap());
            headers.extend(origin.map(|origin| (ORIGIN, origin.parse().unwrap())));
            assert_eq!(is_cross_origin(&headers), expected, "{origin:?}");
        }
    }
}
