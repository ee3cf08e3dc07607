//! The small types that cannot hold a wrong value: ids, names, tokens, moments, priorities.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A job's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// A new random id.
    #[must_use]
    pub fn random() -> JobId {
        JobId(Uuid::new_v4())
    }

    /// The id that follows from what the job is made of: the same for whoever makes it.
    #[must_use]
    pub fn derived(from: Uuid, text: &str) -> JobId {
        JobId(Uuid::new_v5(&from, text.as_bytes()))
    }

    /// Bits of it that are as good as random.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.as_u64_pair().1 & (u64::MAX >> 2)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for JobId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Uuid::parse_str(text).map(JobId).map_err(|_| NameError::JobId(short(text)))
    }
}

/// The number of a claim. A later claim of any job has a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a UUID.
    #[error("{0:?} is no job id: it must be a UUID")]
    JobId(String),
    /// Not the name of an action.
    #[error("{0:?} is no action name: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Action(String),
    /// Not the name of a cron.
    #[error("{0:?} is no name of a cron: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -")]
    Cron(String),
    /// Not the name of a subscription.
    #[error(
        "{0:?} is no name of a subscription: it must be 1 to 64 characters of A-Z a-z 0-9 _ . -"
    )]
    Subscription(String),
    /// Not the id of a worker.
    #[error("{0:?} is no worker id: it must be 12 hexadecimal digits")]
    Worker(String),
    /// Not a priority.
    #[error("{0:?} is no priority: it must be high, normal or low")]
    Priority(String),
    /// Not a moment.
    #[error("{0:?} is no time: it must be RFC 3339, like 2026-11-20T16:30:00Z")]
    Timestamp(String),
}

/// The name of an action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActionName(String);

impl ActionName {
    /// The action that delivers what subscriptions are told. Of its jobs nobody is told, or each message would make others
    /// for ever.
    pub const DELIVER: &str = "deliver";

    /// The same as a name.
    #[must_use]
    pub fn deliver() -> ActionName {
        ActionName(ActionName::DELIVER.to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ActionName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
            return Err(NameError::Action(short(&text)));
        }
        Ok(ActionName(text))
    }
}

impl FromStr for ActionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl From<ActionName> for String {
    fn from(name: ActionName) -> String {
        name.0
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A worker's identity: 12 hexadecimal digits, random per process, never the host's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(String);

impl WorkerId {
    /// A new random identity.
    #[must_use]
    pub fn random() -> WorkerId {
        let mut text = Uuid::new_v4().simple().to_string();
        text.truncate(12);
        WorkerId(text)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WorkerId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() == 12 && text.chars().all(hex) {
            Ok(WorkerId(text))
        } else {
            Err(NameError::Worker(short(&text)))
        }
    }
}

impl FromStr for WorkerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.to_owned().try_into()
    }
}

impl From<WorkerId> for String {
    fn from(id: WorkerId) -> String {
        id.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The band of a class's queues that a job goes through.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before all others.
    High,
    /// Unless said.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// Every band, most urgent first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
    pub(super) fn is_normal(&self) -> bool {
        *self == Priority::Normal
    }
}

impl FromStr for Priority {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let found = Priority::ALL.into_iter().find(|band| band.as_str() == text);
        found.ok_or_else(|| NameError::Priority(short(text)))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A moment in milliseconds since 1970, UTC. Written as RFC 3339 with `Z`, the fraction left out when zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last moment of the year 9999, the last one that RFC 3339 can write.
    const MAX_MS: i64 = 253_402_300_799_999;

    /// From milliseconds since 1970; what RFC 3339 cannot write is moved to its nearest end.
    #[must_use]
    pub fn from_ms(ms: i64) -> Timestamp {
        Timestamp(ms.clamp(0, Self::MAX_MS))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parsed = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis());
        let inside = parsed.filter(|ms| (0..=Self::MAX_MS).contains(ms));
        inside.map(Timestamp).ok_or_else(|| NameError::Timestamp(short(text)))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time: DateTime<Utc> = DateTime::from_timestamp_millis(self.0).unwrap_or_default();
        let format = if self.0 % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        f.pad(&time.to_rfc3339_opts(format, true))
    }
}

/// As much of a refused text as an error message may repeat.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_the_reference_writes_it() {
        let cases = [
            (1_487_294_987_771, "2017-02-17T01:29:47.771Z"),
            (1_487_649_297_000, "2017-02-21T03:54:57Z"),
            (0, "1970-01-01T00:00:00Z"),
        ];
        for (ms, text) in cases {
            assert_eq!(Timestamp::from_ms(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_ms(ms)));
        }
        assert_eq!("2017-02-21T04:54:57+01:00".parse(), Ok(Timestamp::from_ms(1_487_649_297_000)));
        for text in ["", "2017-02-21", "2017-02-30T00:00:00Z", "1969-12-31T23:59:59Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_refuse_what_a_key_or_a_queue_could_not_hold() {
        for name in ["", "a b", "ä", "a/b", "{a}", &"a".repeat(65)] {
            assert!(name.parse::<ActionName>().is_err(), "{name}");
        }
        for name in ["", "00000000000", "0000000000000", "00000000000G", "ABCDEF000000"] {
            assert!(name.parse::<WorkerId>().is_err(), "{name}");
        }
        assert!(WorkerId::random().as_str().parse::<WorkerId>().is_ok());
        assert!("no uuid".parse::<JobId>().is_err());
    }
}
