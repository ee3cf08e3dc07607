//! Rate limits: how many jobs may start in a given time.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lock::LockName;

/// The most starts per time, and at once.
pub const MAX_STARTS: u32 = 1_000_000;
/// The shortest and the longest time.
pub const PER: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(366 * 24 * 60 * 60));
/// The longest pause that a service may request.
pub const MAX_HOLD_BACK: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a rate limit is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The name has characters that are not allowed, or too many.
    #[error("it must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @, and may end in *")]
    Name,
    /// The number of starts is out of range.
    #[error("it must be a whole number from 1 to {MAX_STARTS}")]
    Starts,
    /// The time is out of range.
    #[error("it must be a duration from 1s to 8784h")]
    Per,
}

/// What a limit applies to: the key that jobs name, or the first part of such keys and a star.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LimitName(String);

impl LimitName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lock for whose permits jobs wait; `None` for a name with a star, which has many.
    #[must_use]
    pub fn lock(&self) -> Option<LockName> {
        LockName::of_rate(&self.0).ok()
    }
}

impl TryFrom<String> for LimitName {
    type Error = LimitError;

    fn try_from(text: String) -> Result<Self, LimitError> {
        // A star alone limits every key that has no other limit.
        let key = text.strip_suffix('*').unwrap_or(&text);
        let is_valid = text == "*" || LockName::of_rate(key).is_ok();
        if is_valid { Ok(LimitName(text)) } else { Err(LimitError::Name) }
    }
}

impl FromStr for LimitName {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        text.to_owned().try_into()
    }
}

impl From<LimitName> for String {
    fn from(name: LimitName) -> String {
        name.0
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many jobs may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many, in the long run.
    pub rate: u32,
    /// In how much time.
    pub per: Duration,
    /// How many at once.
    pub burst: u32,
}

impl RateLimit {
    /// Returns the limit if it is in the allowed range.
    pub fn new(
        rate: i64,
        per: Duration,
        burst: i64,
    ) -> Result<RateLimit, (&'static str, LimitError)> {
        let starts = |field, starts| {
            let starts = u32::try_from(starts).ok().filter(|n| (1..=MAX_STARTS).contains(n));
            starts.ok_or((field, LimitError::Starts))
        };
        if per < PER.0 || per > PER.1 {
            return Err(("per", LimitError::Per));
        }
        Ok(RateLimit { rate: starts("rate", rate)?, per, burst: starts("burst", burst)? })
    }

    /// The time as text, in Go's syntax.
    #[must_use]
    pub fn per_text(&self) -> String {
        let (s, ms) = (self.per.as_secs(), self.per.subsec_millis());
        let (h, m, s) = (s / 3_600, s / 60 % 60, s % 60);
        let seconds = if ms == 0 { format!("{s}s") } else { format!("{s}.{ms:03}s") };
        match (h, m) {
            (0, 0) => seconds,
            (0, _) => format!("{m}m{seconds}"),
            _ => format!("{h}h{m}m{seconds}"),
        }
    }

    /// The time after which one more job may start, in ms.
    #[must_use]
    pub fn interval_ms(&self) -> f64 {
        self.per.as_millis() as f64 / f64::from(self.rate)
    }
}

/// All rate limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateLimits(BTreeMap<LimitName, RateLimit>);

impl RateLimits {
    /// The limits, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&LimitName, &RateLimit)> {
        self.0.iter()
    }

    /// Returns the limit of a key: the one with its own name, or else the longest one with a star
    /// that matches.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Option<(&LimitName, &RateLimit)> {
        let matches = |name: &LimitName| {
            name.0.strip_suffix('*').map_or(name.0 == key, |prefix| key.starts_with(prefix))
        };
        let matching = self.0.iter().filter(|(name, _)| matches(name));
        matching.max_by_key(|(name, _)| (name.0 == key, name.0.len()))
    }
}

impl FromIterator<(LimitName, RateLimit)> for RateLimits {
    fn from_iter<All: IntoIterator<Item = (LimitName, RateLimit)>>(all: All) -> RateLimits {
        RateLimits(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_key_or_its_first_part_and_a_star() {
        for name in ["mail", "mail-*", "*", "a:b/c@d"] {
            assert_eq!(name.parse::<LimitName>().unwrap().to_string(), name);
        }
        for name in ["", "a b", "**", "a*b", "..", &"x".repeat(129)] {
            assert_eq!(name.parse::<LimitName>(), Err(LimitError::Name), "{name}");
        }
        assert_eq!("mail".parse::<LimitName>().unwrap().lock().unwrap().as_str(), "rate:mail");
        assert_eq!("mail-*".parse::<LimitName>().unwrap().lock(), None);
    }

    #[test]
    fn a_key_has_its_own_limit_or_that_of_the_longest_pattern() {
        let names = ["*", "mail-*", "mail-eu-*", "mail-eu-1"];
        let limit = |burst| RateLimit::new(1, Duration::from_secs(1), burst).unwrap();
        let all: RateLimits =
            names.iter().zip(1..).map(|(name, n)| (name.parse().unwrap(), limit(n))).collect();
        let found = |key| all.of_key(key).map(|(_, limit)| limit.burst);
        assert_eq!(
            ["mail-eu-1", "mail-eu-2", "mail-us", "mail"].map(found),
            [Some(4), Some(3), Some(2), Some(1)]
        );
        assert_eq!(RateLimits::default().of_key("mail"), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let minute = Duration::from_secs(60);
        assert_eq!(RateLimit::new(100, minute, 20).unwrap().interval_ms(), 600.0);
        let refused = [
            (0, minute, 1, "rate"),
            (-1, minute, 1, "rate"),
            (1_000_001, minute, 1, "rate"),
            (1, minute, 0, "burst"),
            (1, minute, 1_000_001, "burst"),
            (1, Duration::from_millis(999), 1, "per"),
            (1, Duration::MAX, 1, "per"),
        ];
        for (rate, per, burst, field) in refused {
            assert_eq!(RateLimit::new(rate, per, burst).unwrap_err().0, field);
        }
    }
}
