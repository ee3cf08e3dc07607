//! Durations in Go's syntax. The text is kept, so that clients read back what they wrote.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An optional duration in Go's syntax (`90s`, `15m`, `1h30m`). The empty text and zero mean that
/// none is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    text: String,
    duration: Option<Duration>,
}

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid duration: write it like 90s, 15m or 1h30m, up to 8760h")]
pub struct InvalidDuration(String);

const MAX: Duration = Duration::from_secs(8760 * 3600);
/// Bounds the text, which is kept: `0s0s0s…` is valid at any length.
const MAX_LENGTH: usize = 64;

impl GoDuration {
    /// Returns true if no duration is set.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.duration.is_none()
    }

    /// The duration, or `None` if none is set.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }
}

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        if text.is_empty() {
            return Ok(GoDuration::default());
        }
        let bounded = Some(text).filter(|text| text.len() <= MAX_LENGTH);
        let duration = bounded.and_then(parse).filter(|duration| *duration <= MAX);
        let duration = duration.ok_or_else(|| InvalidDuration(text.chars().take(64).collect()))?;
        // The reference API treats a zero duration as one that is not set.
        if duration.is_zero() {
            return Ok(GoDuration::default());
        }
        Ok(GoDuration { text: text.to_owned(), duration: Some(duration) })
    }
}

impl TryFrom<String> for GoDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> String {
        duration.text
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Parses like Go's `time.ParseDuration`, without signs: numbers with an optional fraction, each
/// with a unit.
fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0_f64);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let next = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(next);
        if number.len() > 15 || !number.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        total += number.parse::<f64>().ok()? * seconds(unit)?;
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok()
}

fn seconds(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" | "μs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse_as_in_go() {
        let cases = [
            ("90s", 90_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("250ms", 250),
            (".5s", 500),
            ("1m30.25s", 90_250),
        ];
        for (text, ms) in cases {
            let read: GoDuration = text.parse().unwrap();
            assert_eq!(read.duration(), Some(Duration::from_millis(ms)), "{text}");
            assert_eq!(read.to_string(), text);
        }
        for text in ["", "0", "0s"] {
            assert_eq!(text.parse(), Ok(GoDuration::default()), "{text}");
        }
        let long = "0s".repeat(33);
        for text in [
            long.as_str(),
            "5",
            "s",
            "-1s",
            "1d",
            "1s ",
            "1..s",
            ".s",
            "8761h",
            "1e3s",
            "9999999999999999s",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }
}
