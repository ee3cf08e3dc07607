//! A moment, with the precision and the range that the API can write.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970, UTC. Written as RFC 3339 with `Z`, without a fraction if it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// The text is not a moment from 1970 to 9999 in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// The last millisecond of the year 9999, the last that RFC 3339 can write.
    const MAX_MS: i64 = 253_402_300_799_999;

    /// Converts milliseconds since 1970; values that RFC 3339 cannot write become the nearest one
    /// that it can.
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
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis());
        let inside = parsed.filter(|ms| (0..=Self::MAX_MS).contains(ms));
        let invalid = || InvalidTimestamp(text.chars().take(64).collect());
        inside.map(Timestamp).ok_or_else(invalid)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339_in_utc_from_1970_to_9999() {
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
}
