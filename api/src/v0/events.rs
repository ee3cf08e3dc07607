//! Changes as server-sent events: of jobs, workers, crons, locks, in the order in which they
//! happened.

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
use crate::deadline::in_time;
use crate::error::{Error, unknown_name};
use crate::events::{Follower, Step};
use crate::v0::wire::query::Query;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::v0::wire::sse::{Event, KEEP_ALIVE, KEEP_ALIVE_COMMENT, UNBUFFERED};

const PARAMETERS: [&str; 4] = ["kind", "action", "job", "status"];
const TOO_MANY: Error = Error::Unavailable("as many streams of events are open as may be at once");

/// Follows every change of a job, a worker, a cron, a lock, as server-sent events. The name of an
/// event is its kind, its `id` the place in the stream: a client that comes back with it as
/// `Last-Event-ID` goes on where it was. What is too old for that is told by an event `lost`. A
/// client that is too slow to be told everything is cut off, and may come back.
#[utoipa::path(
    get, path = "/events", operation_id = "FollowEvents", tag = "events",
    params(
        ("kind" = Option<String>, Query,
            pattern = "^((lock|queue|cron|job|worker)(,(lock|queue|cron|job|worker))*)?$", example = "job,worker",
            description = "only changes of these kinds, with commas between: `job`, `worker`, \
                `cron`, `lock`, `queue`"),
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "only changes of jobs of this action; `any` is all"),
        ("job" = Option<schemas::JobIdOrNone>, Query, example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
            description = "only changes of this job"),
        ("status" = Option<schemas::Statuses>, Query, example = "done,error",
            description = "only changes of jobs to one of these, with commas between"),
        ("Last-Event-ID" = Option<String>, Header, nullable = false, pattern = "^([0-9]{1,18}-[0-9]{1,18})?$",
            example = "1763740800000-0",
            description = "the last event that was seen: go on behind it"),
    ),
    responses(
        (status = 200, description = "the changes", body = Event,
            content_type = "text/event-stream",
            example = json!("event: job\nid: 1763740800000-0\ndata: {\"kind\":\"job\"}\n\n")),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn follow(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let wanted = wanted(&Query::read(raw.as_deref(), &PARAMETERS)?)?;
    let from = last_seen(&headers)?;
    let permit = Arc::clone(&app.event_streams).try_acquire_owned().map_err(|_| TOO_MANY)?;
    let follower =
        in_time(async { Ok::<_, Refusal>(Follower::new(&app.events, from).await?) }).await?;
    let last_sent = Instant::now();
    let stream = EventStream { app, follower, wanted, last_sent, _permit: permit };
    let parts = stream::unfold(stream, async |mut stream| {
        let part = stream.next_part().await?;
        Some((Ok::<_, std::convert::Infallible>(part), stream))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), UNBUFFERED];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// One answer that goes on.
struct EventStream {
    app: Arc<App>,
    follower: Follower,
    wanted: EventFilter,
    last_sent: Instant,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    /// The next part of the body; `None` when it ends: the service does, or the client was too
    /// slow.
    async fn next_part(&mut self) -> Option<Bytes> {
        loop {
            let silence = KEEP_ALIVE.saturating_sub(self.last_sent.elapsed());
            let step = tokio::select! {
                () = self.app.shutdown.cancelled() => return None,
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
            let told = changes.iter().filter(|change| self.wanted.matches(change)).map(frame);
            let mut part: String = lost.into_iter().chain(told).collect();
            // What is not wanted is silence too.
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

fn wanted(query: &Query) -> Result<EventFilter, Error> {
    let list = |name: &str| {
        let text = query.text(name).unwrap_or_default();
        text.split(',').filter(|_| !text.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let kind = |name: &String| {
        let why = || unknown_name("kind of event", name, &EventKind::ALL.map(EventKind::as_str));
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
    // A browser that has seen none may send none.
    if text.is_empty() {
        return Ok(None);
    }
    let id = text.parse();
    id.map(Some).map_err(|error: store::InvalidEventId| Error::invalid("Last-Event-ID", error))
}

/// The event for a change.
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
    fn a_change_is_an_event_that_says_its_place() {
        expect![[r#"
            event: job
            id: 1763740800123-7
            data: {"action":"gc","at":"2025-11-21T16:00:00.123Z","fencingToken":12,"jobID":"j","kind":"job"}

        "#]]
        .assert_eq(&frame(&change(&[("job", "j"), ("token", "12"), ("action", "gc")])));
    }

    #[test]
    fn a_query_says_what_is_wanted() {
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
            let wanted = wanted(&Query::read(Some(query), &PARAMETERS).unwrap()).unwrap();
            assert_eq!(
                (wanted.matches(&job), wanted.matches(&worker)),
                (of_job, of_worker),
                "{query}"
            );
        }
        let refused = |raw| wanted(&Query::read(Some(raw), &PARAMETERS).unwrap()).err().unwrap();
        expect!["kind: unknown kind of event; did you mean job? expected one of: lock, queue, cron, job, worker"].assert_eq(&refused("kind=jobs").to_string());
        assert!(
            refused("status=fine")
                .to_string()
                .starts_with("status: \"fine\" is not a valid status")
        );
    }
}
