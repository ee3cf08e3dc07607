//! The conditions of the search language: their keys, and how values are read and written.

use std::fmt::Display;
use std::str::FromStr;

use crate::failure::Fingerprint;
use crate::job::{Label, Status};
use crate::lock::LockName;
use crate::names::{ActionName, CronName, JobId, WorkerId};
use crate::priority::Priority;
use crate::time::{GoDuration, Timestamp};

/// What a job must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Its status is one of these.
    Status(Vec<Status>),
    /// It has this action.
    Action(ActionName),
    /// This worker claimed it.
    Worker(WorkerId),
    /// It is a child of this job.
    Parent(JobId),
    /// This cron created it.
    Cron(CronName),
    /// This user or token submitted it.
    By(String),
    /// It has this fairness key.
    FairnessKey(String),
    /// It has this unique key.
    UniqueKey(String),
    /// It has this priority.
    Priority(Priority),
    /// It needs this lock.
    Lock(LockName),
    /// It has this ticket reference.
    Ticket(String),
    /// It has this label.
    Label(Label),
    /// It failed with this fingerprint.
    Fingerprint(Fingerprint),
    /// It is due at or after this time.
    Since(SearchTime),
    /// It is due at or before this time.
    Until(SearchTime),
    /// The parameter at this path has this value. Names in the path are separated by dots.
    Parameter(String, String),
    /// This text occurs in it, in upper or lower case.
    Text(String),
}

/// A time in a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchTime {
    /// So long before the search.
    Ago(GoDuration),
    /// A moment.
    At(Timestamp),
}

impl SearchTime {
    /// Returns the moment if the search takes place at `now`.
    #[must_use]
    pub fn resolve(&self, now: Timestamp) -> Timestamp {
        match self {
            SearchTime::At(at) => *at,
            SearchTime::Ago(ago) => {
                let ms = ago.duration().map_or(0, |ago| ago.as_millis());
                Timestamp::from_ms(now.ms().saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX)))
            }
        }
    }
}

/// The text is not a time in a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not valid: it must be a duration like 30m or 24h, or a time like 2026-11-20T16:30:00Z"
)]
pub struct InvalidSearchTime(String);

impl FromStr for SearchTime {
    type Err = InvalidSearchTime;

    fn from_str(text: &str) -> Result<SearchTime, InvalidSearchTime> {
        if let Ok(at) = text.parse() {
            return Ok(SearchTime::At(at));
        }
        match text.parse::<GoDuration>() {
            Ok(ago) if !ago.is_none() => Ok(SearchTime::Ago(ago)),
            Ok(_) | Err(_) => Err(InvalidSearchTime(text.chars().take(64).collect())),
        }
    }
}

impl Display for SearchTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SearchTime::Ago(ago) => ago.fmt(f),
            SearchTime::At(at) => at.fmt(f),
        }
    }
}

/// A key of the language, for its documentation and for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName {
    /// The key.
    pub name: &'static str,
    /// What a job must be.
    pub meaning: &'static str,
    /// An example of a value.
    pub example: &'static str,
}

const fn key(name: &'static str, meaning: &'static str, example: &'static str) -> KeyName {
    KeyName { name, meaning, example }
}

/// Every key with a fixed name, in the order in which errors and completion list them.
pub const KEYS: [KeyName; 16] = [
    key("status", "in one of these statuses, separated by commas", "error,worker_dead"),
    key("action", "of this action", "scan"),
    key("worker", "claimed by the worker with this id", "0123456789ab"),
    key("parent", "children of the job with this id", "a261713a-9514-43f9-a7e5-50e7a9fa1d48"),
    key("cron", "created by this cron", "nightly"),
    key("by", "submitted by this user or token", "ci"),
    key("key", "with this fairness key", "t7"),
    key("unique", "with this unique key", "import-7"),
    key("priority", "of this priority", "high"),
    key("lock", "that need this lock", "device-sw1"),
    key("ticket", "with this ticket reference", "NET-4711"),
    key("label", "with this label", "team:network"),
    key("fingerprint", "that failed with this fingerprint", "4f0c1c39d2c0a7be"),
    key("since", "due at or after this time, or this long ago", "1h"),
    key("until", "due at or before this time, or this long ago", "5m"),
    key("text", "in which this text occurs", "refused"),
];

/// What the key of a parameter begins with; its path follows.
pub const PARAMETER_KEY: &str = "param.";

/// A key as it occurs in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// A key with a fixed name.
    Named(&'static str),
    /// The key of a parameter, with its path.
    Parameter(&'a str),
}

/// Finds a key by its name.
pub(super) fn find_key(name: &str) -> Option<Key<'_>> {
    if let Some(path) = name.strip_prefix(PARAMETER_KEY) {
        return Some(Key::Parameter(path)).filter(|_| !path.is_empty());
    }
    KEYS.iter().find(|key| key.name == name).map(|key| Key::Named(key.name))
}

impl Key<'_> {
    /// Returns the name in errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Key::Named(name) => name,
            Key::Parameter(_) => "param",
        }
    }

    /// Returns the key to use instead of excluding this one, if it cannot be excluded.
    pub(super) fn instead_of_excluding(&self) -> Option<&'static str> {
        match self {
            Key::Named("since") => Some("until"),
            Key::Named("until") => Some("since"),
            Key::Named(_) | Key::Parameter(_) => None,
        }
    }

    /// Reads a value of this key; the error says what is allowed.
    pub(super) fn condition(&self, value: String) -> Result<Condition, String> {
        let name = match self {
            Key::Parameter(path) => return Ok(Condition::Parameter((*path).to_owned(), value)),
            Key::Named(name) => *name,
        };
        Ok(match name {
            "status" => Condition::Status(
                value.split(',').map(read::<Status>).collect::<Result<Vec<_>, _>>()?,
            ),
            "action" => Condition::Action(read(&value)?),
            "worker" => Condition::Worker(read(&value)?),
            "parent" => Condition::Parent(read(&value)?),
            "cron" => Condition::Cron(read(&value)?),
            "by" => Condition::By(value),
            "key" => Condition::FairnessKey(value),
            "unique" => Condition::UniqueKey(value),
            "priority" => Condition::Priority(read(&value)?),
            "lock" => Condition::Lock(read(&value)?),
            "ticket" => Condition::Ticket(value),
            "label" => Condition::Label(read(&value)?),
            "fingerprint" => Condition::Fingerprint(read(&value)?),
            "since" => Condition::Since(read(&value)?),
            "until" => Condition::Until(read(&value)?),
            _ => Condition::Text(value),
        })
    }
}

fn read<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    value.parse().map_err(|error: T::Err| error.to_string())
}

impl Condition {
    /// Returns the key under which it is written.
    #[must_use]
    pub fn key(&self) -> String {
        if let Condition::Parameter(path, _) = self {
            return format!("{PARAMETER_KEY}{path}");
        }
        self.key_name().to_owned()
    }

    /// Returns the name of its key in errors.
    pub(super) fn key_name(&self) -> &'static str {
        match self {
            Condition::Status(_) => "status",
            Condition::Action(_) => "action",
            Condition::Worker(_) => "worker",
            Condition::Parent(_) => "parent",
            Condition::Cron(_) => "cron",
            Condition::By(_) => "by",
            Condition::FairnessKey(_) => "key",
            Condition::UniqueKey(_) => "unique",
            Condition::Priority(_) => "priority",
            Condition::Lock(_) => "lock",
            Condition::Ticket(_) => "ticket",
            Condition::Label(_) => "label",
            Condition::Fingerprint(_) => "fingerprint",
            Condition::Since(_) => "since",
            Condition::Until(_) => "until",
            Condition::Parameter(..) => "param",
            Condition::Text(_) => "text",
        }
    }

    /// Returns its value as text, without quotation marks.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Condition::Status(all) => {
                all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(",")
            }
            Condition::Action(name) => name.to_string(),
            Condition::Worker(id) => id.to_string(),
            Condition::Parent(id) => id.to_string(),
            Condition::Cron(name) => name.to_string(),
            Condition::Priority(priority) => priority.to_string(),
            Condition::Lock(name) => name.to_string(),
            Condition::Label(label) => label.to_string(),
            Condition::Fingerprint(fingerprint) => fingerprint.to_string(),
            Condition::Since(time) | Condition::Until(time) => time.to_string(),
            Condition::By(text)
            | Condition::FairnessKey(text)
            | Condition::UniqueKey(text)
            | Condition::Ticket(text)
            | Condition::Parameter(_, text)
            | Condition::Text(text) => text.clone(),
        }
    }

    /// Returns true if a job can satisfy two conditions with this key and different values.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(
            self,
            Condition::Lock(_)
                | Condition::Label(_)
                | Condition::Parameter(..)
                | Condition::Text(_)
        )
    }
}
