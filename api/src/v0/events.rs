//! The event stream: changes of jobs, workers, crons, locks and queues as server-sent events, in
//! the order in which they occurred.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use domain::event::{self, EventFilter, EventKind};
use futures_util::stream;
use serde_json::{Value, json};
use store::EventId;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::app::App;
use crate::auth::Caller;
use crate::deadline::in_time;
use crate::error::{Error, unknown_name};
use crate::events::{Follower, Step};
use crate::query::Query;
use crate::stream_lifetime::StreamLifetime;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::v0::wire::sse::{KEEP_ALIVE, KEEP_ALIVE_COMMENT, ServerSentEvent, UNBUFFERED};

const PARAMETERS: [&str; 4] = ["kind", "action", "job", "status"];
const TOO_MANY: Error = Error::Unavailable("the limit of event streams is reached");

/// Streams changes of jobs, workers, crons, locks and queues as server-sent events.
///
/// The name of an event is its kind. To resume after an event, send its `id` as `Last-Event-ID`. If
/// events after that id are no longer kept, the stream begins with an event `lost`. A client that
/// reads too slowly is disconnected and can reconnect. A stream ends after an hour, and when its
/// token is deleted.
#[utoipa::path(
    get, path = "/events", operation_id = "FollowEvents", tag = "events",
    params(
        ("kind" = Option<String>, Query,
            pattern = "^((lock|queue|cron|job|worker)(,(lock|queue|cron|job|worker))*)?$",
            example = "job,worker",
            description = "Only events of these kinds, separated by commas: `job`, `worker`, \
                `cron`, `lock`, `queue`."),
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "Only events of jobs of this action. `any` selects all events."),
        ("job" = Option<schemas::OptionalJobId>, Query,
            example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
            description = "Only events of this job."),
        ("status" = Option<schemas::Statuses>, Query, example = "done,error",
            description = "Only events of jobs that change to one of these statuses, separated by \
                commas."),
        ("Last-Event-ID" = Option<String>, Header, nullable = false,
            pattern = "^([0-9]{1,18}-[0-9]{1,18})?$", example = "1763740800000-0",
            description = "The id of the last event that was received. The stream resumes after \
                it."),
    ),
    responses(
        (status = 200, description = "The stream of events.", body = ServerSentEvent,
            content_type = "text/event-stream",
            example = json!("event: job\nid: 1763740800000-0\ndata: {\"kind\":\"job\"}\n\n")),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn follow(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let filter = event_filter(&Query::read(raw.as_deref(), &PARAMETERS)?)?;
    let from = last_seen(&headers)?;
    let permit = Arc::clone(&app.event_streams).try_acquire_owned().map_err(|_| TOO_MANY)?;
    let follower =
        in_time(async { Ok::<_, Refusal>(Follower::new(&app.events, from).await?) }).await?;
    let (lifetime, last_sent) = (StreamLifetime::new(caller, app.shutdown.clone()), Instant::now());
    let stream = EventStream { lifetime, follower, filter, last_sent, _permit: permit };
    let parts = stream::unfold(stream, async |mut stream| {
        let part = stream.next_part().await?;
        Some((Ok::<_, std::convert::Infallible>(part), stream))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), UNBUFFERED];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// The body of one response.
struct EventStream {
    lifetime: StreamLifetime,
    follower: Follower,
    filter: EventFilter,
    last_sent: Instant,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    /// Returns the next part of the body; `None` if the stream must end or the client is too slow.
    async fn next_part(&mut self) -> Option<Bytes> {
        loop {
            let silence = KEEP_ALIVE.saturating_sub(self.last_sent.elapsed());
            let step = tokio::select! {
                biased;
                () = self.lifetime.ended() => return None,
                step = self.follower.next(silence) => step,
            };
            let (lost, changes) = match step {
                Step::Events(changes) => (None, changes),
                Step::Lost(since, changes) => (Some(since), changes),
                Step::Silence => (None, Vec::new()),
                Step::TooSlow => return None,
            };
            let lost = lost.map(|since| json!({"since": since.to_string()}));
            let lost = lost.map(|data| format!("event: lost\ndata: {data}\n\n"));
            let frames = changes.iter().filter(|change| self.filter.matches(change)).map(frame);
            let mut part: String = lost.into_iter().chain(frames).collect();
            // Events that do not match send nothing, so they do not keep the connection open.
            if part.is_empty() && self.last_sent.elapsed() >= KEEP_ALIVE {
                part.push_str(KEEP_ALIVE_COMMENT);
            }
            if !part.is_empty() {
                self.last_sent = Instant::now();
                return Some(part.into());
            }
        }
    }
}

fn event_filter(query: &Query) -> Result<EventFilter, Error> {
    let list = |name: &str| {
        let text = query.text(name).unwrap_or_default();
        text.split(',').filter(|_| !text.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let kind = |name: &String| {
        let why = || unknown_name("event kind", name, &EventKind::ALL.map(EventKind::as_str));
        name.parse::<EventKind>().map_err(|_| Error::invalid("kind", why()))
    };
    let status = |name: &String| {
        name.parse().map_err(|error: domain::job::UnknownStatus| Error::invalid("status", error))
    };
    Ok(EventFilter {
        kinds: list("kind").iter().map(kind).collect::<Result<_, _>>()?,
        action: query.value_unless_any("action")?,
        job: query.value("job")?,
        statuses: list("status").iter().map(status).collect::<Result<_, _>>()?,
    })
}

fn last_seen(headers: &HeaderMap) -> Result<Option<EventId>, Error> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    // A browser that has received no event may send an empty header.
    if text.is_empty() {
        return Ok(None);
    }
    let id = text.parse();
    id.map(Some).map_err(|error: store::InvalidEventId| Error::invalid("Last-Event-ID", error))
}

/// Returns the server-sent event for a change.
fn frame(change: &event::Event) -> String {
    let (kind, data) = (change.kind(), Value::Object(change.data()));
    format!("event: {kind}\nid: {}\ndata: {data}\n\n", change.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn change(fields: &[(&str, &str)]) -> event::Event {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        event::Event { id: "1763740800123-7".parse().unwrap(), fields: fields.collect() }
    }

    #[test]
    fn a_frame_has_the_kind_the_id_and_the_data() {
        expect![[r#"
            event: job
            id: 1763740800123-7
            data: {"action":"gc","at":"2025-11-21T16:00:00.123Z","fencingToken":12,"jobID":"j","kind":"job"}

        "#]]
        .assert_eq(&frame(&change(&[("job", "j"), ("token", "12"), ("action", "gc")])));
    }

    #[test]
    fn a_query_selects_events() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let job = change(&[("job", id), ("action", "gc"), ("worker", "w"), ("status", "done")]);
        let worker = change(&[("worker", "w"), ("status", "dead")]);
        let cases = [
            ("", true, true),
            ("kind=job", true, false),
            ("kind=worker,cron", false, true),
            ("action=gc", true, false),
            ("action=any", true, true),
            ("action=other", false, false),
            ("status=done,error", true, false),
            ("status=error", false, false),
            ("job=1FCF4C0F-ff3b-471a-8839-5dcb631b2f7b", true, false),
            ("job=a261713a-9514-43f9-a7e5-50e7a9fa1d48", false, false),
        ];
        for (query, of_job, of_worker) in cases {
            let filter = event_filter(&Query::read(Some(query), &PARAMETERS).unwrap()).unwrap();
            assert_eq!(
                (filter.matches(&job), filter.matches(&worker)),
                (of_job, of_worker),
                "{query}"
            );
        }
        let refused = |raw| {
            event_filter(&Query::read(Some(raw), &PARAMETERS).unwrap()).unwrap_err().to_string()
        };
        let message = "kind: unknown event kind; did you mean job? \
                       expected one of: lock, queue, cron, job, worker";
        assert_eq!(refused("kind=jobs"), message);
        assert!(refused("status=fine").starts_with("status: \"fine\" is not a valid status"));
    }
}
