//! Lengths of time as clients write them: Go's syntax, kept as written so that it is answered as it came.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time in Go's syntax (`90s`, `15m`, `1h30m`); the empty text is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    text: String,
    duration: Option<Duration>,
}

/// The text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration: write it like 90s, 15m or 1h30m, up to 8760h")]
pub struct SpanError(String);

const MAX: Duration = Duration::from_secs(8760 * 3600);
/// It is kept as written: `0s0s0s…` is a length too.
const MAX_LENGTH: usize = 64;

impl Span {
    /// True when no length was given.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.duration.is_none()
    }

    /// The length; `None` when none was given.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        if text.is_empty() {
            return Ok(Span::default());
        }
        let bounded = Some(text).filter(|text| text.len() <= MAX_LENGTH);
        let duration = bounded.and_then(parse).filter(|duration| *duration <= MAX);
        let duration = duration.ok_or_else(|| SpanError(text.chars().take(64).collect()))?;
        // Go reads `0` and `0s` as no time at all, which means: none, and is kept as that.
        if duration.is_zero() {
            return Ok(Span::default());
        }
        Ok(Span { text: text.to_owned(), duration: Some(duration) })
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.text
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Go's `time.ParseDuration` without signs: numbers with an optional fraction, each with its unit.
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
    fn go_durations_read_as_go_reads_them() {
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
            let span: Span = text.parse().unwrap();
            assert_eq!(span.duration(), Some(Duration::from_millis(ms)), "{text}");
            assert_eq!(span.to_string(), text);
        }
        for text in ["", "0", "0s"] {
            assert_eq!(text.parse(), Ok(Span::default()), "{text}");
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
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
