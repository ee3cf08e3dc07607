//! Changes as server-sent events: of jobs, workers, crons, locks, in the order in which they
//! happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Map, Value, json};
use shared::job::{ActionName, JobId, Timestamp};
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

const KNOWN: [&str; 3] = ["kind", "action", "job"];
/// What changes, by the field that names it. A change that names several is of the first of these.
const KINDS: [&str; 5] = ["lock", "queue", "cron", "job", "worker"];
const TOO_MANY: Error = Error::Unavailable("as many streams of events are open as may be at once");
/// After so long a silence a comment is sent, for the proxies between.
const SILENCE: Duration = Duration::from_secs(15);

/// Which changes are sent; what is not given filters nothing.
struct Wanted {
    kinds: BTreeSet<&'static str>,
    action: Option<ActionName>,
    job: Option<JobId>,
}

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
            let told = changes.iter().filter_map(|change| self.wanted.frame(change));
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
    let known = |name: &str| {
        let found = KINDS.into_iter().find(|kind| *kind == name);
        found.ok_or_else(|| Error::invalid("kind", unknown_name("kind of event", name, &KINDS)))
    };
    let kinds = query.text("kind").unwrap_or_default();
    let kinds = kinds.split(',').filter(|_| !kinds.is_empty()).map(known);
    Ok(Wanted {
        kinds: kinds.collect::<Result<_, _>>()?,
        action: query.value_unless_any("action")?,
        job: query.value("job")?,
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

impl Wanted {
    /// The event for a change; `None` when it is not wanted.
    fn frame(&self, change: &Change) -> Option<String> {
        let fields = &change.fields;
        let kind = KINDS.into_iter().find(|kind| fields.contains_key(*kind)).unwrap_or("other");
        let has = |name: &str, text: &str| fields.get(name).is_some_and(|value| value == text);
        let wanted = (self.kinds.is_empty() || self.kinds.contains(kind))
            && self.action.as_ref().is_none_or(|action| has("action", action.as_str()))
            && self.job.is_none_or(|id| has("job", &id.to_string()));
        if !wanted {
            return None;
        }
        let at = Timestamp::from_ms(i64::try_from(change.id().ms).unwrap_or(i64::MAX));
        let mut data = Map::new();
        data.insert("kind".to_owned(), json!(kind));
        data.insert("at".to_owned(), json!(at));
        data.extend(fields.iter().map(|(name, value)| field(name, value)));
        Some(format!("event: {kind}\nid: {}\ndata: {}\n\n", change.place, Value::Object(data)))
    }
}

/// A field by the name that the rest of the surface has for it, as what it is.
fn field(name: &str, value: &str) -> (String, Value) {
    let json = || serde_json::from_str(value).unwrap_or(Value::Null);
    let (name, value) = match name {
        "job" => ("jobID", json!(value)),
        "worker" => ("workerID", json!(value)),
        "token" => ("fencingToken", json()),
        "wantedMap" => ("capacityMap", json()),
        "number" | "count" | "progress" => (name, json()),
        "tick" => (name, value.parse().map_or(Value::Null, |ms| json!(Timestamp::from_ms(ms)))),
        other => (other, json!(value)),
    };
    (name.to_owned(), if value == "" { Value::Null } else { value })
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
    fn a_change_is_told_in_the_words_of_the_surface() {
        let all = Wanted { kinds: BTreeSet::new(), action: None, job: None };
        let changes = [
            change(&[
                ("job", "j"),
                ("number", "7"),
                ("status", "waiting"),
                ("worker", ""),
                ("token", ""),
            ]),
            change(&[("job", "j"), ("worker", "w"), ("token", "12"), ("action", "gc")]),
            change(&[("job", "j"), ("progress", "{\"percent\":5}")]),
            change(&[("worker", "w"), ("drain", "1")]),
            change(&[("worker", "w"), ("wantedMap", "{\"cpu\":1}")]),
            change(&[("cron", "c"), ("change", "skipped"), ("tick", "1000"), ("count", "3")]),
            change(&[("lock", "l"), ("job", "j")]),
            change(&[("text", "a\nb")]),
        ];
        let frames = changes.map(|change| all.frame(&change).unwrap());
        expect![[r#"
            event: job
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","fencingToken":null,"jobID":"j","kind":"job","number":7,"status":"waiting","workerID":null}

            event: job
            id: 1763740800123-7
            data: {"action":"gc","at":"2025-11-21T16:00:00.123Z","fencingToken":12,"jobID":"j","kind":"job","workerID":"w"}

            event: job
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","jobID":"j","kind":"job","progress":{"percent":5}}

            event: worker
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","drain":"1","kind":"worker","workerID":"w"}

            event: worker
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","capacityMap":{"cpu":1},"kind":"worker","workerID":"w"}

            event: cron
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","change":"skipped","count":3,"cron":"c","kind":"cron","tick":"1970-01-01T00:00:01Z"}

            event: lock
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","jobID":"j","kind":"lock","lock":"l"}

            event: other
            id: 1763740800123-7
            data: {"at":"2025-11-21T16:00:00.123Z","kind":"other","text":"a\nb"}

        "#]].assert_eq(&frames.concat());
    }

    #[test]
    fn only_what_is_wanted_is_told() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let job = change(&[("job", id), ("action", "gc"), ("worker", "w")]);
        let worker = change(&[("worker", "w"), ("status", "dead")]);
        let cases = [
            ("", true, true),
            ("kind=job", true, false),
            ("kind=worker,cron", false, true),
            ("action=gc", true, false),
            ("action=any", true, true),
            ("action=other", false, false),
            ("job=1FCF4C0F-ff3b-471a-8839-5dcb631b2f7b", true, false),
            ("job=a261713a-9514-43f9-a7e5-50e7a9fa1d48", false, false),
        ];
        for (query, of_job, of_worker) in cases {
            let wanted = wanted(&Query::read(Some(query), &KNOWN).unwrap()).unwrap();
            let found = (wanted.frame(&job).is_some(), wanted.frame(&worker).is_some());
            assert_eq!(found, (of_job, of_worker), "{query}");
        }
        let refused = wanted(&Query::read(Some("kind=jobs"), &KNOWN).unwrap()).err().unwrap();
        expect!["kind: unknown kind of event; did you mean job? there are: lock, queue, cron, job, worker"].assert_eq(&refused.to_string());
    }
}
