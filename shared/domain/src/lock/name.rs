//! The name of a lock, and the names that are reserved for concurrency limits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::capacity::Class;
use crate::names::ActionName;

/// The most locks that a job may name.
pub const MAX_LOCKS: usize = 16;
/// The most permits that a lock may have or a job may take.
pub const MAX_PERMITS: u32 = 1_000_000;

pub(super) const MAX_LENGTH: usize = 128;
/// Prefixes of the locks that Capstan makes itself: the concurrency limits of actions and classes,
/// and rate limits.
const RESERVED: [&str; 3] = ["action:", "class:", RATE];
const RATE: &str = "rate:";

/// Why a lock is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The name has characters that are not allowed, or too many.
    #[error("lock {0:?} must be 1 to {MAX_LENGTH} characters of A-Z a-z 0-9 _ . - : / @")]
    Name(String),
    /// The name has a reserved prefix.
    #[error(
        "lock {0:?} must not begin with action:, class: or rate:, which are reserved for limits"
    )]
    Reserved(String),
    /// The number of permits is out of range.
    #[error("permits of lock {0:?} must be a whole number from 1 to {MAX_PERMITS}")]
    Permits(String),
    /// The job names too many locks.
    #[error("a job names at most {MAX_LOCKS} locks")]
    TooMany,
    /// A placeholder in the name is not closed.
    #[error("lock {0:?} has {{{{ without a closing }}}}")]
    Open(String),
    /// A placeholder names a parameter that is missing or has no scalar value.
    #[error("lock {0:?} uses parameter {1:?}, which is missing or not a string, number or boolean")]
    Parameter(String, String),
}

/// The name of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockName(String);

impl LockName {
    /// The limit of an action: the number of its jobs that run at once.
    #[must_use]
    pub fn of_action(action: &ActionName) -> LockName {
        LockName(format!("action:{action}"))
    }

    /// The default limit per key of an action: the number of its jobs with the same key that run at
    /// once.
    #[must_use]
    pub fn of_keys(action: &ActionName) -> LockName {
        LockName(format!("action:{action}:*"))
    }

    /// The limit of one key of an action.
    pub fn of_key(action: &ActionName, key: &str) -> Result<LockName, LockError> {
        checked(key)?;
        format!("action:{action}:{key}").try_into()
    }

    /// The limit of a class.
    #[must_use]
    pub fn of_class(class: &Class) -> LockName {
        LockName(format!("class:{class}"))
    }

    /// The rate limit of a key.
    pub fn of_rate(key: &str) -> Result<LockName, LockError> {
        checked(key)?;
        Ok(LockName(format!("{RATE}{key}")))
    }

    /// The key, if this is a rate limit.
    #[must_use]
    pub fn rate_key(&self) -> Option<&str> {
        self.0.strip_prefix(RATE)
    }

    /// Returns true for the limits of actions and classes and for rate limits, which a job may not
    /// name as locks.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED.iter().any(|prefix| self.0.starts_with(prefix))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn checked(text: &str) -> Result<(), LockError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-:/@".contains(c);
    // Clients normalise `.` and `..` out of the path of a URL.
    let dots = text.chars().all(|c| c == '.');
    let good = !dots && text.len() <= MAX_LENGTH && text.chars().all(plain);
    if good { Ok(()) } else { Err(LockError::Name(excerpt(text))) }
}

pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

impl TryFrom<String> for LockName {
    type Error = LockError;

    fn try_from(text: String) -> Result<Self, LockError> {
        // A class may contain `=` and `+`, and the limit per key of an action ends in a star.
        if let Some(class) = text.strip_prefix("class:") {
            let class = Class::try_from(class.to_owned());
            return class
                .map(|class| LockName::of_class(&class))
                .map_err(|_| LockError::Name(excerpt(&text)));
        }
        let plain = text.strip_prefix("action:").and_then(|rest| rest.strip_suffix(":*"));
        checked(plain.or_else(|| text.strip_prefix(RATE)).unwrap_or(&text))?;
        Ok(LockName(text))
    }
}

impl FromStr for LockName {
    type Err = LockError;

    fn from_str(text: &str) -> Result<Self, LockError> {
        text.to_owned().try_into()
    }
}

impl From<LockName> for String {
    fn from(name: LockName) -> String {
        name.0
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_limits_are_reserved_and_parse_back() {
        let action: ActionName = "scan".parse().unwrap();
        let names = [
            LockName::of_action(&action),
            LockName::of_keys(&action),
            LockName::of_key(&action, "tenant-1").unwrap(),
            LockName::of_class(&Class::try_from("cpu=1+scan=2".to_owned()).unwrap()),
            LockName::of_rate(&"x".repeat(MAX_LENGTH)).unwrap(),
        ];
        for name in names {
            assert!(name.is_reserved());
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        assert!(LockName::of_key(&action, "a b").is_err());
        assert!("class:what".parse::<LockName>().is_err());
    }
}
