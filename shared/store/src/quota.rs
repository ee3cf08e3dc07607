//! Quotas: how much each owner may have waiting.

use std::fmt;

/// Who submitted a job, when that is not known.
pub const UNKNOWN_USER: &str = "unknown";

/// An owner would have more waiting than it may have; nothing was created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{owner} has {waiting} {quota} waiting, of {limit} that it may have: \
     wait until some have started, cancel some, or have an admin raise the quota"
)]
pub struct QuotaExceeded {
    /// Who submitted the jobs.
    pub owner: String,
    /// What would exceed its quota.
    pub quota: Quota,
    /// How much of it waits.
    pub waiting: u64,
    /// How much may wait.
    pub limit: u64,
}

/// What a quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Their number.
    Jobs,
    /// The bytes of their specs.
    Bytes,
}

impl Quota {
    /// The word in the answers of scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Quota::Jobs => "jobs",
            Quota::Bytes => "bytes",
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl QuotaExceeded {
    /// Reads the answer of a script; `None` when a word is wrong.
    pub(crate) fn read(
        owner: &str,
        quota: &str,
        waiting: &str,
        limit: &str,
    ) -> Option<QuotaExceeded> {
        Some(QuotaExceeded {
            owner: shown(owner),
            quota: [Quota::Jobs, Quota::Bytes].into_iter().find(|one| one.as_str() == quota)?,
            waiting: waiting.parse().ok()?,
            limit: limit.parse().ok()?,
        })
    }
}

/// The owner as the API shows it. Scripts have none for a job whose submitter is not known.
pub(crate) fn shown(owner: &str) -> String {
    if owner.is_empty() { UNKNOWN_USER } else { owner }.to_owned()
}
