//! Identifiers of jobs, claims and workers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{NameError, excerpt};

/// The id of a job, a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Returns a new random id.
    #[must_use]
    pub fn random() -> JobId {
        JobId(Uuid::new_v4())
    }

    /// Returns the id that follows from a namespace and a text. Equal inputs give equal ids, so
    /// that a job that is submitted twice is the same job.
    #[must_use]
    pub fn derived(namespace: Uuid, text: &str) -> JobId {
        JobId(Uuid::new_v5(&namespace, text.as_bytes()))
    }

    /// Returns 62 bits of the id, evenly distributed.
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
        Uuid::parse_str(text).map(JobId).map_err(|_| NameError::JobId(excerpt(text)))
    }
}

/// The number of a claim. Every write to a running job carries it, and the store refuses an
/// outdated one. It grows with every claim of any job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of a worker: 12 hexadecimal digits, random per process and independent of the host name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(String);

impl WorkerId {
    /// Returns a new random id.
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
            Err(NameError::Worker(excerpt(&text)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_id_is_12_lower_case_hexadecimal_digits() {
        for text in ["", "00000000000", "0000000000000", "00000000000G", "ABCDEF000000"] {
            assert!(text.parse::<WorkerId>().is_err(), "{text}");
        }
        assert!(WorkerId::random().as_str().parse::<WorkerId>().is_ok());
    }

    #[test]
    fn a_job_id_is_a_uuid() {
        assert!("not a uuid".parse::<JobId>().is_err());
        let id = JobId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
