//! The locks of a job.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::{LockError, LockName, excerpt};

/// The locks that a job takes, each with a number of permits. A job takes all of them or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locks(BTreeMap<LockName, u32>);

impl Locks {
    /// The locks and their permits, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&LockName, u32)> {
        self.0.iter().map(|(name, permits)| (name, *permits))
    }

    /// Returns true if there are no locks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of locks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the locks that clients name, without the limits of actions and classes.
    #[must_use]
    pub fn without_reserved(mut self) -> Locks {
        self.0.retain(|name, _| !name.is_reserved());
        self
    }

    /// Returns the rate limits under which the job starts: their keys, and how many starts it counts
    /// as.
    pub fn rates(&self) -> impl Iterator<Item = (&str, u32)> {
        self.iter().filter_map(|(name, count)| Some((name.rate_key()?, count)))
    }

    /// Returns the locks without the rate limits.
    #[must_use]
    pub fn without_rates(mut self) -> Locks {
        self.0.retain(|name, _| name.rate_key().is_none());
        self
    }

    /// Returns the rate limits.
    #[must_use]
    pub fn only_rates(mut self) -> Locks {
        self.0.retain(|name, _| name.rate_key().is_some());
        self
    }

    /// Adds all of these.
    pub fn extend(&mut self, others: Locks) {
        self.0.extend(others.0);
    }

    /// Adds a lock, or replaces its number of permits.
    pub fn add(&mut self, name: LockName, permits: u32) {
        self.0.insert(name, permits);
    }
}

impl FromStr for Locks {
    type Err = LockError;

    /// Parses what `Display` writes.
    fn from_str(text: &str) -> Result<Self, LockError> {
        let one = |entry: &str| {
            let (name, permits) = entry.rsplit_once('=').unwrap_or((entry, "1"));
            let permits = permits.parse().map_err(|_| LockError::Permits(excerpt(name)))?;
            Ok((name.parse()?, permits))
        };
        text.split_whitespace().map(one).collect::<Result<_, _>>().map(Locks)
    }
}

impl fmt::Display for Locks {
    /// Writes `devices=1 licence=2`, the form that the scripts parse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, permits)) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={permits}")?;
        }
        Ok(())
    }
}
