//! Returns the log of a job: as a whole, in part, or as a stream of new lines.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};

use super::log_tail::{Framing, LogLine, Tail};
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::query::{MAX_START, Query};
use crate::stream_lifetime::StreamLifetime;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, StoreUnavailable};
use crate::v0::wire::sse::{ServerSentEvent, UNBUFFERED};

const KNOWN: [&str; 3] = ["stream", "offset", "limit"];
const TOO_MANY: Error = Error::Unavailable("the limit of log streams is reached");

/// Returns the log of a job.
///
/// With `stream=true`, the response stays open and new lines follow as they are written, until the
/// job has finished: as one JSON object per line, or as server-sent events if `Accept` contains
/// `text/event-stream`. The id of an event is the number of its line. The last event is `end`.
/// After 15 seconds without a line, an empty line or a comment is sent. The response also ends
/// after an hour, and when its token is deleted: request the rest with `offset` or `Last-Event-ID`.
#[utoipa::path(
    get, path = "/jobs/{id}/logs", operation_id = "GetJobLogs", tag = "jobs",
    params(
        JobPath,
        ("stream" = Option<bool>, Query, example = false,
            description = "Whether to follow the log. `t`, `1`, `f` and `0` are also accepted."),
        ("offset" = Option<i32>, Query, minimum = 0, example = 0,
            description = "The number of the first line. Defaults to 0."),
        ("limit" = Option<i32>, Query, minimum = 0, example = 0,
            description = "The maximum number of lines, also of a stream. Defaults to 0, which \
                means no limit."),
        ("Last-Event-ID" = Option<String>, Header, nullable = false, example = "41",
            description = "The id of the last event that was received. The stream resumes after \
                this line. A value that is not a number is ignored."),
    ),
    responses(
        (status = 200, description = "The lines of the log.", content(
            (Vec<LogLine> = "application/json"),
            (LogLine = "application/x-ndjson"),
            (ServerSentEvent = "text/event-stream",
                example = "id: 0\ndata: {\"data\":\"hello\",\"lineNum\":0}\n\n"),
        )),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    RawQuery(raw): RawQuery,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &KNOWN)?;
    let framing = match query.switch("stream")? {
        Some(true) if accepts_events(&headers) => Framing::Events,
        Some(true) => Framing::Lines,
        Some(false) | None => Framing::Array,
    };
    let offset = query.number("offset", MAX_START)?.unwrap_or(0);
    let seen = if framing == Framing::Events { last_seen(&headers) } else { None };
    let first = offset.max(seen.map_or(0, |line| line.saturating_add(1)));
    let limit = query.number("limit", MAX_START)?.filter(|limit| *limit > 0);

    app.store.status(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let mut tail = Tail::new(Arc::clone(&app), id, framing, first, limit);
    let body = if framing == Framing::Array {
        // The first part is read before the response begins, so that an unavailable store is
        // still answered 503.
        let first_part = tail.next_part().await?;
        Body::from_stream(stream::iter(first_part.map(Ok)).chain(tail.into_parts()))
    } else {
        let permit = Arc::clone(&app.log_streams).try_acquire_owned().map_err(|_| TOO_MANY)?;
        tail.follow(StreamLifetime::new(caller, app.shutdown.clone()), permit);
        Body::from_stream(tail.into_parts())
    };
    let headers = [(CONTENT_TYPE, framing.media_type()), (CACHE_CONTROL, "no-store")];
    let mut response = (headers, body).into_response();
    if framing != Framing::Array {
        response.headers_mut().insert(UNBUFFERED.0, HeaderValue::from_static(UNBUFFERED.1));
    }
    Ok(response)
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = values.flat_map(|value| value.split(','));
    kinds.any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/event-stream"))
}

fn last_seen(headers: &HeaderMap) -> Option<u32> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}
