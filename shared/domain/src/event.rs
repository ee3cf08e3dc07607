//! Changes as people are told them, by server-sent events and by subscriptions alike: of which kind one is, its fields by
//! the names that the rest of the surface has for them, and which of them somebody wants. Pure.

mod change;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use change::{Change, EventId, NoEventId};

use crate::job::{ActionName, JobId, Status, Timestamp};

/// What a change tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something that somebody did to a lock, or to a pause, which is one.
    Lock,
    /// A queue.
    Queue,
    /// A cron.
    Cron,
    /// A job.
    Job,
    /// A worker.
    Worker,
    /// A word of another version.
    #[serde(skip_deserializing)]
    Other,
}

/// Which changes somebody wants; what is not given filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Of these kinds; none is all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<Kind>,
    /// Of jobs of this action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// Of this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Of jobs that have come to one of these; none is all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub statuses: BTreeSet<Status>,
}

/// The text is no kind of change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of event; the kinds are {all}", all = Kind::ALL.map(Kind::as_str).join(", "))]
pub struct NoKind(String);

impl Kind {
    /// Those that one may ask for. A change that names several things is of the first of these.
    pub const ALL: [Kind; 5] = [Kind::Lock, Kind::Queue, Kind::Cron, Kind::Job, Kind::Worker];

    /// The word, which is also the name of the field that says what has changed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Lock => "lock",
            Kind::Queue => "queue",
            Kind::Cron => "cron",
            Kind::Job => "job",
            Kind::Worker => "worker",
            Kind::Other => "other",
        }
    }

    /// The kind of a change.
    #[must_use]
    pub fn of(change: &Change) -> Kind {
        let named = |kind: &Kind| change.fields.contains_key(kind.as_str());
        Kind::ALL.into_iter().find(named).unwrap_or(Kind::Other)
    }
}

impl FromStr for Kind {
    type Err = NoKind;

    fn from_str(text: &str) -> Result<Kind, NoKind> {
        let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| NoKind(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Wanted {
    /// True when this change is wanted.
    #[must_use]
    pub fn takes(&self, change: &Change) -> bool {
        let kind = Kind::of(change);
        let field = |name: &str| change.fields.get(name).map(String::as_str);
        let status = || field("status").and_then(|word| word.parse().ok());
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.action.as_ref().is_none_or(|action| field("action") == Some(action.as_str()))
            && self.job.is_none_or(|id| field("job") == Some(id.to_string().as_str()))
            && (self.statuses.is_empty()
                || kind == Kind::Job && status().is_some_and(|to| self.statuses.contains(&to)))
    }
}

/// When a change was.
#[must_use]
pub fn moment(change: &Change) -> Timestamp {
    Timestamp::from_ms(i64::try_from(change.id().ms).unwrap_or(i64::MAX))
}

/// What has happened, as words with a dot between: `job.done`, `worker.dead`, `cron.skipped`, `job.progress`.
#[must_use]
pub fn type_of(change: &Change) -> String {
    let fields = &change.fields;
    let word = fields.get("status").or(fields.get("change")).map(String::as_str);
    let progress = fields.contains_key("progress").then_some("progress");
    format!("{}.{}", Kind::of(change), word.or(progress).unwrap_or("changed"))
}

/// A change as a JSON object.
#[must_use]
pub fn data(change: &Change) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("kind".to_owned(), json!(Kind::of(change)));
    data.insert("at".to_owned(), json!(moment(change)));
    data.extend(change.fields.iter().map(|(name, value)| field(name, value)));
    data
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
            change(&[("worker", "w"), ("status", "dead")]),
            change(&[("worker", "w"), ("drain", "1")]),
            change(&[("worker", "w"), ("wantedMap", "{\"cpu\":1}")]),
            change(&[("cron", "c"), ("change", "skipped"), ("tick", "1000"), ("count", "3")]),
            change(&[("lock", "l"), ("change", "cleared"), ("value", "j")]),
            change(&[("text", "a\nb")]),
        ];
        let told = changes.map(|change| format!("{} {}\n", type_of(&change), json!(data(&change))));
        expect![[r#"
            job.waiting {"at":"2025-11-21T16:00:00.123Z","fencingToken":null,"jobID":"j","kind":"job","number":7,"status":"waiting","workerID":null}
            job.changed {"action":"gc","at":"2025-11-21T16:00:00.123Z","fencingToken":12,"jobID":"j","kind":"job","workerID":"w"}
            job.progress {"at":"2025-11-21T16:00:00.123Z","jobID":"j","kind":"job","progress":{"percent":5}}
            worker.dead {"at":"2025-11-21T16:00:00.123Z","kind":"worker","status":"dead","workerID":"w"}
            worker.changed {"at":"2025-11-21T16:00:00.123Z","drain":"1","kind":"worker","workerID":"w"}
            worker.changed {"at":"2025-11-21T16:00:00.123Z","capacityMap":{"cpu":1},"kind":"worker","workerID":"w"}
            cron.skipped {"at":"2025-11-21T16:00:00.123Z","change":"skipped","count":3,"cron":"c","kind":"cron","tick":"1970-01-01T00:00:01Z"}
            lock.cleared {"at":"2025-11-21T16:00:00.123Z","change":"cleared","kind":"lock","lock":"l","value":"j"}
            other.changed {"at":"2025-11-21T16:00:00.123Z","kind":"other","text":"a\nb"}
        "#]]
        .assert_eq(&told.concat());
    }

    #[test]
    fn only_what_is_wanted_is_taken() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let job = change(&[("job", id), ("action", "gc"), ("worker", "w"), ("status", "running")]);
        let worker = change(&[("worker", "w"), ("status", "running")]);
        let cases = [
            (json!({}), true, true),
            (json!({"kinds": ["job"]}), true, false),
            (json!({"kinds": ["worker", "cron"]}), false, true),
            (json!({"action": "gc"}), true, false),
            (json!({"action": "other"}), false, false),
            (json!({"job": id}), true, false),
            (json!({"job": "a261713a-9514-43f9-a7e5-50e7a9fa1d48"}), false, false),
            // What a worker comes to is no status of a job.
            (json!({"statuses": ["running", "done"]}), true, false),
            (json!({"statuses": ["done"]}), false, false),
        ];
        for (wanted, of_job, of_worker) in cases {
            let read: Wanted = serde_json::from_value(wanted.clone()).unwrap();
            assert_eq!((read.takes(&job), read.takes(&worker)), (of_job, of_worker), "{wanted}");
        }
        assert!("jobs".parse::<Kind>().unwrap_err().to_string().contains("lock, queue, cron"));
    }
}
