//! Socket.IO, as the reference has it: a client says with the event `events` what it wants to hear,
//! and hears it by the same name. What is told here comes from the same stream as the events of v0,
//! so it is never told before it is so.

mod logs;
mod message;
mod tell;

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

/// The one event, in both directions.
const EVENTS: &str = "events";
/// Who hears of jobs.
const JOBS: &str = "update_job";
/// Levels of lines, least first; who asks for one hears it and those above.
const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
/// Messages that wait for a slow client; what comes then is dropped.
const MOST_WAITING: usize = 1024;
/// The largest request or answer of a client that polls.
const MOST_BYTES: u64 = 1024 * 1024;
/// How long a subscription waits until the stream is followed.
const PATIENCE: Duration = Duration::from_secs(3);

/// The clients, and what is done for them.
pub(crate) struct Sockets {
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

impl Sockets {
    /// The layer that answers under `/socket.io`, and what tells its clients.
    pub(crate) fn new(most: usize) -> (SocketIoLayer, Sockets) {
        let (layer, io) = SocketIo::builder()
            .req_path("/socket.io")
            .max_buffer_size(MOST_WAITING)
            .max_payload(MOST_BYTES)
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
                        Some(room) => followed_soon(&is_followed).await.then_some(room),
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
            socket.on(EVENTS, subscribe);
            async {}
        };
        let let_in = async move |socket: SocketRef, io: SocketIo| {
            if foreign(&socket.req_parts().headers) {
                return Err(Refused::Origin);
            }
            if io.sockets().len() >= most { Err(Refused::Full) } else { Ok(()) }
        };
        io.ns("/", welcome.with(let_in));
        (layer, Sockets { io, connected, followed })
    }
}

/// Waits until the stream is followed, so that nothing that happens after the answer is missed.
async fn followed_soon(followed: &watch::Sender<bool>) -> bool {
    let mut followed = followed.subscribe();
    let waiting = followed.wait_for(|followed| *followed);
    matches!(tokio::time::timeout(PATIENCE, waiting).await, Ok(Ok(_)))
}

/// What a subscription is for: exactly one of the three keys, with one of its values.
fn room(wanted: &Value) -> Option<&'static str> {
    let fields = wanted.as_object().filter(|fields| fields.len() == 1)?;
    let (key, value) = fields.iter().next()?;
    match (key.as_str(), value.as_str()?) {
        ("loglevel", level) => LEVELS.into_iter().find(|known| *known == level),
        ("update", "job") => Some(JOBS),
        ("update", "device") => Some("update_device"),
        ("sync", "all") => Some("sync"),
        _ => None,
    }
}

/// A page that was not loaded from here: browsers ask nobody before they open a WebSocket.
fn foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else { return false };
    let host = origin.split_once("://").map(|(_, host)| host);
    host.is_none() || host != text(HOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subscription_is_for_one_thing() {
        let cases = [
            (json!({"update": "job"}), Some("update_job")),
            (json!({"update": "device"}), Some("update_device")),
            (json!({"sync": "all"}), Some("sync")),
            (json!({"loglevel": "DEBUG"}), Some("DEBUG")),
            (json!({"loglevel": "debug"}), None),
            (json!({"update": "jobs"}), None),
            (json!({"update": "job", "sync": "all"}), None),
            (json!({"update": 7}), None),
            (json!({}), None),
            (json!("job"), None),
            (json!(null), None),
        ];
        for (wanted, expected) in cases {
            assert_eq!(room(&wanted), expected, "{wanted}");
        }
    }

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
            assert_eq!(foreign(&headers), expected, "{origin:?}");
        }
    }
}
