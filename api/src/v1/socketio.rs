//! The Socket.IO server of the reference: a client subscribes with the event `events` and receives
//! messages with the same event. The messages come from the same stream as the events of v0, so a
//! message is never sent before the change is stored.

mod broadcast;
mod message;
mod rooms;
mod running_logs;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::layer::SocketIoLayer;
use tokio::sync::{Notify, watch};

use crate::auth::Caller;
use rooms::{EVENT, room};

/// The number of messages that are queued for a slow client; further ones are dropped.
const MAX_QUEUED: usize = 1024;
/// The largest request and response of a polling client.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long a subscription waits until the event stream is followed.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(3);

/// The Socket.IO server and its clients.
pub(crate) struct SocketIoServer {
    io: SocketIo,
    connected: Arc<Notify>,
    followed: Arc<watch::Sender<bool>>,
}

/// Why a client is refused.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("the limit of clients is reached")]
    TooManyClients,
    #[error("the token has been deleted")]
    Revoked,
}

impl SocketIoServer {
    /// Creates the server, and the layer that serves `/socket.io` to at most `max_clients`.
    pub(crate) fn new(max_clients: usize) -> (SocketIoLayer, SocketIoServer) {
        let (layer, io) = SocketIo::builder()
            .req_path("/socket.io")
            .max_buffer_size(MAX_QUEUED)
            .max_payload(MAX_BYTES)
            .connect_timeout(SUBSCRIBE_TIMEOUT)
            .build_layer();
        let connected: Arc<Notify> = Arc::default();
        let followed = Arc::new(watch::Sender::new(false));
        let (notify, is_followed) = (Arc::clone(&connected), Arc::clone(&followed));
        let on_connect = move |socket: SocketRef| {
            let is_followed = Arc::clone(&is_followed);
            notify.notify_one();
            let subscribe =
                async move |socket: SocketRef, TryData(request): TryData<Value>, ack: AckSender| {
                    let room = match request.ok().as_ref().and_then(room) {
                        Some(room) => wait_until_followed(&is_followed).await.then_some(room),
                        None => None,
                    };
                    let answer = if room.is_some() { Value::Null } else { Value::Bool(false) };
                    // The client joins before the acknowledgement, so that it misses no message.
                    if let Some(room) = room {
                        socket.join(room);
                    }
                    if let Err(error) = ack.send(&answer) {
                        tracing::debug!(%error, "a client disconnected before its acknowledgement");
                    }
                };
            socket.on(EVENT, subscribe);
            async {}
        };
        let admit = async move |socket: SocketRef, io: SocketIo| {
            if is_revoked(&socket) {
                return Err(ConnectError::Revoked);
            }
            let is_full = io.sockets().len() >= max_clients;
            if is_full { Err(ConnectError::TooManyClients) } else { Ok(()) }
        };
        io.ns("/", on_connect.with(admit));
        (layer, SocketIoServer { io, connected, followed })
    }
}

/// Waits until the event stream is followed, so that no event after the answer is missed.
async fn wait_until_followed(followed: &watch::Sender<bool>) -> bool {
    let mut followed = followed.subscribe();
    let waiting = followed.wait_for(|followed| *followed);
    matches!(tokio::time::timeout(SUBSCRIBE_TIMEOUT, waiting).await, Ok(Ok(_)))
}

/// Returns true if the token that the client connected with is no longer valid.
fn is_revoked(socket: &SocketRef) -> bool {
    socket.req_parts().extensions.get::<Caller>().is_some_and(Caller::is_revoked)
}
