//! Server-sent events: their schema, and what keeps their connections open.

use std::time::Duration;

use axum::http::HeaderName;
use utoipa::ToSchema;

/// Tells proxies to pass on each event as it comes.
pub(in crate::v0) const UNBUFFERED: (HeaderName, &str) =
    (HeaderName::from_static("x-accel-buffering"), "no");
/// After this long without an event a comment is sent, so that proxies keep the connection open.
pub(in crate::v0) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The comment that keeps a connection open.
pub(in crate::v0) const KEEP_ALIVE_COMMENT: &str = ": still here\n\n";

/// One server-sent event.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described: events are written as text")]
pub(in crate::v0) struct Event {
    /// The kind of the event: `job`, `worker`, `cron`, `lock` or `queue`; `lost` if earlier events
    /// are no longer kept. The last event of a log is `end`; its lines have no kind.
    event: Option<String>,
    /// The id of the event: the value of `Last-Event-ID` to resume after it.
    id: Option<String>,
    /// A JSON object.
    data: String,
}
