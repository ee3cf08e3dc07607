//! An entry of the event stream: its id, its kind, and how it is shown to clients.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::time::Timestamp;

/// An entry of the event stream: one change of a job, worker, lock, queue or cron.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its position in the stream.
    pub id: EventId,
    /// The fields that the script wrote: `job`, `status`, `worker`, `token`, …
    pub fields: BTreeMap<String, String>,
}

/// A position in the event stream. Later events have larger ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// When the event was written, in milliseconds since 1970.
    pub ms: u64,
    /// Orders the events of one millisecond.
    pub sequence: u64,
}

/// The text is not the id of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a valid event id, such as 1763740800000-0")]
pub struct InvalidEventId;

/// The kind of object that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A lock was cleared or resized, or a queue or an action was paused or resumed: a pause is a
    /// lock.
    Lock,
    /// A queue.
    Queue,
    /// A cron.
    Cron,
    /// A job.
    Job,
    /// A worker.
    Worker,
    /// Written by another version of Capstan.
    #[serde(skip_deserializing)]
    Other,
}

/// The text is not a kind of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid event kind; the kinds are {all}", all = EventKind::ALL.map(EventKind::as_str).join(", "))]
pub struct UnknownEventKind(String);

impl Event {
    /// The kind of object that the event is about. If it names several, the first in the order of
    /// [`EventKind::ALL`].
    #[must_use]
    pub fn kind(&self) -> EventKind {
        let named = |kind: &EventKind| self.fields.contains_key(kind.as_str());
        EventKind::ALL.into_iter().find(named).unwrap_or(EventKind::Other)
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp::from_ms(i64::try_from(self.id.ms).unwrap_or(i64::MAX))
    }

    /// The type of the event, as a message to a subscription names it: `job.done`, `worker.dead`,
    /// `cron.skipped`, `job.progress`.
    #[must_use]
    pub fn type_name(&self) -> String {
        let word = self.fields.get("status").or(self.fields.get("change")).map(String::as_str);
        let progress = self.fields.contains_key("progress").then_some("progress");
        format!("{}.{}", self.kind(), word.or(progress).unwrap_or("changed"))
    }

    /// The event as a JSON object, with the field names of the API.
    #[must_use]
    pub fn data(&self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("kind".to_owned(), json!(self.kind()));
        data.insert("at".to_owned(), json!(self.at()));
        data.extend(self.fields.iter().map(|(name, value)| api_field(name, value)));
        data
    }
}

/// Translates a field of the stream into the name and type that the API gives it.
fn api_field(name: &str, value: &str) -> (String, Value) {
    let json = || serde_json::from_str(value).unwrap_or(Value::Null);
    let (name, value) = match name {
        "job" => ("jobID", json!(value)),
        "worker" => ("workerID", json!(value)),
        "token" => ("fencingToken", json()),
        "wantedMap" => ("capacityMap", json()),
        "number" | "count" | "progress" => (name, json()),
        "tick" | "scheduledAt" | "startedAt" => {
            (name, value.parse().map_or(Value::Null, |ms| json!(Timestamp::from_ms(ms))))
        }
        other => (other, json!(value)),
    };
    (name.to_owned(), if value == "" { Value::Null } else { value })
}

impl FromStr for EventId {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<EventId, InvalidEventId> {
        let (ms, sequence) = text.split_once('-').ok_or(InvalidEventId)?;
        let number = |text: &str| {
            let digits = text.chars().all(|c| c.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or(InvalidEventId)
        };
        Ok(EventId { ms: number(ms)?, sequence: number(sequence)? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

impl EventKind {
    /// The kinds that a client can ask for, in order of precedence for events that name several
    /// objects.
    pub const ALL: [EventKind; 5] =
        [EventKind::Lock, EventKind::Queue, EventKind::Cron, EventKind::Job, EventKind::Worker];

    /// The word, which is also the name of the field that holds the object's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Lock => "lock",
            EventKind::Queue => "queue",
            EventKind::Cron => "cron",
            EventKind::Job => "job",
            EventKind::Worker => "worker",
            EventKind::Other => "other",
        }
    }
}

impl FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(text: &str) -> Result<EventKind, UnknownEventKind> {
        let found = EventKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownEventKind(text.chars().take(64).collect()))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn an_event_is_shown_with_the_field_names_of_the_api() {
        let events: [&[(&str, &str)]; 10] = [
            &[("job", "j"), ("number", "7"), ("status", "waiting"), ("worker", ""), ("token", "")],
            &[("job", "j"), ("worker", "w"), ("token", "12"), ("action", "gc")],
            &[("job", "j"), ("status", "done"), ("class", "cpu=1"), ("startedAt", "1000")],
            &[("job", "j"), ("progress", "{\"percent\":5}")],
            &[("worker", "w"), ("status", "dead")],
            &[("worker", "w"), ("drain", "1")],
            &[("worker", "w"), ("wantedMap", "{\"cpu\":1}")],
            &[("cron", "c"), ("change", "skipped"), ("tick", "1000"), ("count", "3")],
            &[("lock", "l"), ("change", "cleared"), ("value", "j")],
            &[("text", "a\nb")],
        ];
        let shown = events.map(|fields| {
            let fields =
                fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let id = "1763740800123-7".parse().unwrap();
            let event = Event { id, fields: fields.collect() };
            format!("{} {}\n", event.type_name(), json!(event.data()))
        });
        expect![[r#"
            job.waiting {"at":"2025-11-21T16:00:00.123Z","fencingToken":null,"jobID":"j","kind":"job","number":7,"status":"waiting","workerID":null}
            job.changed {"action":"gc","at":"2025-11-21T16:00:00.123Z","fencingToken":12,"jobID":"j","kind":"job","workerID":"w"}
            job.done {"at":"2025-11-21T16:00:00.123Z","class":"cpu=1","jobID":"j","kind":"job","startedAt":"1970-01-01T00:00:01Z","status":"done"}
            job.progress {"at":"2025-11-21T16:00:00.123Z","jobID":"j","kind":"job","progress":{"percent":5}}
            worker.dead {"at":"2025-11-21T16:00:00.123Z","kind":"worker","status":"dead","workerID":"w"}
            worker.changed {"at":"2025-11-21T16:00:00.123Z","drain":"1","kind":"worker","workerID":"w"}
            worker.changed {"at":"2025-11-21T16:00:00.123Z","capacityMap":{"cpu":1},"kind":"worker","workerID":"w"}
            cron.skipped {"at":"2025-11-21T16:00:00.123Z","change":"skipped","count":3,"cron":"c","kind":"cron","tick":"1970-01-01T00:00:01Z"}
            lock.cleared {"at":"2025-11-21T16:00:00.123Z","change":"cleared","kind":"lock","lock":"l","value":"j"}
            other.changed {"at":"2025-11-21T16:00:00.123Z","kind":"other","text":"a\nb"}
        "#]]
        .assert_eq(&shown.concat());
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_list_of_kinds() {
        assert!("jobs".parse::<EventKind>().unwrap_err().to_string().contains("lock, queue, cron"));
    }
}
