//! Changes as server-sent events: of jobs, workers, crons, locks, in the order in which they
//! happened.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use shared::event::{self, Kind, Wanted};
use shared::store::{Change, EventId};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Refusal;
use super::docs::{Away, BadQuery};
use super::query::Query;
use super::values;
use crate::app::{App, in_time};
use crate::error::{Error, unknown_name};
use crate::events::{Follow, Step};

const KNOWN: [&str; 4] = ["kind", "action", "job", "status"];
const TOO_MANY: Error = Error::Unavailable("as many streams of events are open as may be at once");
/// After so long a silence a comment is sent, for the proxies between.
const SILENCE: Duration = Duration::from_secs(15);

/// One server-sent event.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described: events are written as text")]
pub(super) struct Event {
    /// What it tells of: `job`, `worker`, `cron`, `lock`, `queue`; `lost`: there were others before it
    /// that are not kept any more. Of a log the last one is `end`, and its lines have none.
    event: Option<String>,
    /// Its place: what `Last-Event-ID` names.
    id: Option<String>,
    /// A JSON object.
    data: String,
}

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
        ("job" = Option<values::JobIdOrNone>, Query, example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
            description = "only changes of this job"),
        ("status" = Option<values::Statuses>, Query, example = "done,error",
            description = "only changes of jobs to one of these, with commas between"),
        ("Last-Event-ID" = Option<String>, Header, nullable = false, pattern = "^([0-9]{1,18}-[0-9]{1,18})?$",
            example = "1763740800000-0",
            description = "the last event that was seen: go on behind it"),
    ),
    responses(
        (status = 200, description = "the changes", body = Event,
            content_type = "text/event-stream",
            example = json!("event: job\nid: 1763740800000-0\ndata: {\"kind\":\"job\"}\n\n")),
        BadQuery, Away,
    ),
)]
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let wanted = wanted(&Query::read(raw.as_deref(), &KNOWN)?)?;
    let from = last_seen(&headers)?;
    let permit = Arc::clone(&app.event_streams).try_acquire_owned().map_err(|_| TOO_MANY)?;
    let follow = in_time(async { Ok::<_, Refusal>(Follow::new(&app.events, from).await?) }).await?;
    let last_sent = Instant::now();
    let sending = Sending { app, follow, wanted, last_sent, _permit: permit };
    let parts = stream::unfold(sending, async |mut sending| {
        let part = sending.next_part().await?;
        Some((Ok::<_, std::convert::Infallible>(part), sending))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // A proxy that gathers an answer before it sends it would send this one never.
        (axum::http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// One answer that goes on.
struct Sending {
    app: Arc<App>,
    follow: Follow,
    wanted: Wanted,
    last_sent: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Sending {
    /// The next part of the body; `None` when it ends: the service does, or the client was too
    /// slow.
    async fn next_part(&mut self) -> Option<Bytes> {
        loop {
            let silence = SILENCE.saturating_sub(self.last_sent.elapsed());
            let step = tokio::select! {
                () = self.app.shutdown.cancelled() => return None,
                step = self.follow.next(silence) => step,
            };
            let (lost, changes) = match step {
                Step::Changes(changes) => (None, changes),
                Step::Lost(since, changes) => (Some(since), changes),
                Step::Silence => (None, Vec::new()),
                Step::TooSlow => return None,
            };
            let lost = lost.map(|since| json!({"since": since.to_string()}));
            let lost = lost.map(|data| format!("event: lost\ndata: {data}\n\n"));
            let told = changes.iter().filter(|change| self.wanted.takes(change)).map(frame);
            let mut part: String = lost.into_iter().chain(told).collect();
            // What is not wanted is silence too.
            if part.is_empty() && self.last_sent.elapsed() >= SILENCE {
                part.push_str(": still here\n\n");
            }
            if !part.is_empty() {
                self.last_sent = Instant::now();
                return Some(part.into());
            }
        }
    }
}

fn wanted(query: &Query) -> Result<Wanted, Error> {
    let list = |name: &str| {
        let text = query.text(name).unwrap_or_default();
        text.split(',').filter(|_| !text.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let kind = |name: &String| {
        let why = || unknown_name("kind of event", name, &Kind::ALL.map(Kind::as_str));
        name.parse::<Kind>().map_err(|_| Error::invalid("kind", why()))
    };
    let status = |name: &String| {
        name.parse().map_err(|error: shared::job::NoStatus| Error::invalid("status", error))
    };
    Ok(Wanted {
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
    id.map(Some).map_err(|error: shared::store::NoEventId| Error::invalid("Last-Event-ID", error))
}

/// The event for a change.
fn frame(change: &Change) -> String {
    let (kind, data) = (Kind::of(change), Value::Object(event::data(change)));
    format!("event: {kind}\nid: {}\ndata: {data}\n\n", change.place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn change(fields: &[(&str, &str)]) -> Change {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Change { place: "1763740800123-7".to_owned(), fields: fields.collect() }
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
            let wanted = wanted(&Query::read(Some(query), &KNOWN).unwrap()).unwrap();
            assert_eq!((wanted.takes(&job), wanted.takes(&worker)), (of_job, of_worker), "{query}");
        }
        let refused = |raw| wanted(&Query::read(Some(raw), &KNOWN).unwrap()).err().unwrap();
        expect!["kind: unknown kind of event; did you mean job? there are: lock, queue, cron, job, worker"].assert_eq(&refused("kind=jobs").to_string());
        assert!(refused("status=fine").to_string().starts_with("status: \"fine\" is no status"));
    }
}
