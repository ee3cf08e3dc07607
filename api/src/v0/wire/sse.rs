//! Server-sent events: their schema, and how their connections are kept open.

use std::time::Duration;

use axum::http::HeaderName;
use utoipa::ToSchema;

/// The header that makes proxies forward each event at once.
pub(in crate::v0) const UNBUFFERED: (HeaderName, &str) =
    (HeaderName::from_static("x-accel-buffering"), "no");
/// After this long without an event, a comment is sent, so that proxies keep the connection open
/// and a client that has vanished is noticed.
pub(in crate::v0) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The comment that keeps a connection open.
pub(in crate::v0) const KEEP_ALIVE_COMMENT: &str = ": still here\n\n";

/// One server-sent event.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described: events are written as text")]
pub(in crate::v0) struct ServerSentEvent {
    /// The kind of the event: `job`, `worker`, `cron`, `lock` or `queue`, or `lost` if earlier
    /// events are no longer kept. In a log, lines have no kind and the last event is `end`.
    event: Option<String>,
    /// The id of the event. To resume after it, send it as `Last-Event-ID`.
    id: Option<String>,
    /// A JSON object.
    data: String,
}
