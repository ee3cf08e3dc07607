//! The log of a job: all of it, a part of it, or its lines as they come.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};

use super::log_tail::{Framing, LogLine, Tail};
use crate::app::App;
use crate::error::Error;
use crate::v0::wire::pagination::MAX_START;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::Query;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, StoreUnavailable};
use crate::v0::wire::sse::{Event, UNBUFFERED};

const KNOWN: [&str; 3] = ["stream", "offset", "limit"];
const TOO_MANY: Error = Error::Unavailable("as many logs are followed as may be at once");

/// Shows the log of a job. With `stream` its lines come as they are written, until the job has
/// ended: one JSON object a line, or as server-sent events (`id` is the line's number; the last
/// event is `end`) if `Accept` asks for `text/event-stream`.
#[utoipa::path(
    get, path = "/jobs/{id}/logs", operation_id = "GetJobLogs", tag = "jobs",
    params(
        JobPath,
        ("stream" = Option<bool>, Query, example = false,
            description = "send new lines as they come; also `t`, `1`, `f`, `0`"),
        ("offset" = Option<i32>, Query, minimum = 0, example = 0,
            description = "number of the line to begin with; 0 unless given"),
        ("limit" = Option<i32>, Query, minimum = 0, example = 0,
            description = "how many lines at most, of a stream too; 0, or none given, is all"),
        ("Last-Event-ID" = Option<String>, Header, nullable = false, example = "41",
            description = "of a stream of events that broke off: it goes on behind this line; \
                what is no number is passed over"),
    ),
    responses(
        (status = 200, description = "the lines", content(
            (Vec<LogLine> = "application/json"),
            (LogLine = "application/x-ndjson"),
            (Event = "text/event-stream",
                example = "id: 0\ndata: {\"data\":\"hello\",\"lineNum\":0}\n\n"),
        )),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &KNOWN)?;
    let framing = match query.switch("stream")? {
        Some(true) if wants_events(&headers) => Framing::Events,
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
        // The first part is read before the answer begins, so that a store that is away is still a
        // 503.
        let begin = tail.next_part().await?;
        Body::from_stream(stream::iter(begin.map(Ok)).chain(tail.into_parts()))
    } else {
        let permit = Arc::clone(&app.log_streams).try_acquire_owned().map_err(|_| TOO_MANY)?;
        tail.keep(permit);
        Body::from_stream(tail.into_parts())
    };
    let headers = [(CONTENT_TYPE, framing.media_type()), (CACHE_CONTROL, "no-store")];
    let mut response = (headers, body).into_response();
    if framing != Framing::Array {
        response.headers_mut().insert(UNBUFFERED.0, HeaderValue::from_static(UNBUFFERED.1));
    }
    Ok(response)
}

fn wants_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = values.flat_map(|value| value.split(','));
    kinds.any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/event-stream"))
}

fn last_seen(headers: &HeaderMap) -> Option<u32> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}
