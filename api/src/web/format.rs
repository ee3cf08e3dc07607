//! Numbers, times and values as the page writes them.

use std::borrow::Borrow;

use domain::job::{JobId, Status, Timestamp};
use serde_json::Value;

/// A time, relative to the time of the page and exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// The time.
    pub(super) at: Timestamp,
    /// Like `3 min ago` or `in 5 s`.
    pub(super) relative: String,
}

impl Moment {
    /// Returns a time as seen at `now`.
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Moment {
        let age_ms = now.ms() - at.ms();
        let relative = match age_ms {
            0..1000 => "just now".to_owned(),
            1000.. => format!("{} ago", rough(age_ms)),
            _ => format!("in {}", rough(-age_ms)),
        };
        Moment { at, relative }
    }

    /// Returns the exact time, for people.
    pub(super) fn exact(&self) -> String {
        let text = self.at.to_string().replace('T', " ");
        format!("{} UTC", text.trim_end_matches('Z'))
    }
}

/// Returns a span in its largest unit: `40 ms`, `12 s`, `3 min`, `5 h`, `2 d`.
pub(super) fn rough(ms: i64) -> String {
    match ms {
        ..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{} s", ms / 1000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// Returns a span in its two largest units: `40 ms`, `12.3 s`, `3 min 20 s`, `5 h 2 min`.
pub(super) fn span(ms: i64) -> String {
    let pair = |large: i64, unit: &str, small: i64, smaller: &str| {
        let (whole, rest) = (ms / large, ms % large / small);
        if rest == 0 {
            format!("{whole} {unit}")
        } else {
            format!("{whole} {unit} {rest} {smaller}")
        }
    };
    match ms {
        ..1000 => format!("{} ms", ms.max(0)),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => pair(60_000, "min", 1000, "s"),
        3_600_000..86_400_000 => pair(3_600_000, "h", 60_000, "min"),
        _ => pair(86_400_000, "d", 3_600_000, "h"),
    }
}

/// Returns an exact number with its digits in groups of three, like `12,345`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number with its noun, like `1 job` or `12,345 jobs`.
pub(super) fn count(value: u64, noun: &str) -> String {
    let s = if value == 1 { "" } else { "s" };
    format!("{} {noun}{s}", number(value))
}

/// Returns a text as one word of a shell.
pub(super) fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Returns the first part of an id, which commands accept in its place.
pub(super) fn short_id(id: impl Borrow<JobId>) -> String {
    id.borrow().to_string().chars().take(13).collect()
}

/// Returns a JSON value over several lines.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Returns the first characters of a text, with `…` if there are more.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns a status in words.
pub(super) fn status_words(status: impl Borrow<Status>) -> &'static str {
    match status.borrow() {
        Status::Waiting => "waiting",
        Status::Running => "running",
        Status::CancelRequest => "stopping",
        Status::Done => "done",
        Status::Error => "error",
        Status::Cancel => "cancelled",
        Status::WorkerDead => "worker died",
        Status::WorkerShutdown => "worker stopped",
        Status::WorkerResurrection => "worker came back",
        Status::Deleted => "deleted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_relative_to_the_page() {
        let now = Timestamp::from_ms(1_800_000_000_000);
        let cases = [
            (0, "just now"),
            (999, "just now"),
            (1000, "1 s ago"),
            (59_999, "59 s ago"),
            (60_000, "1 min ago"),
            (7_200_000, "2 h ago"),
            (172_800_000, "2 d ago"),
            (-500, "in 500 ms"),
            (-90_000, "in 1 min"),
        ];
        for (age_ms, expected) in cases {
            let at = Timestamp::from_ms(now.ms() - age_ms);
            assert_eq!(Moment::new(at, now).relative, expected);
        }
        let at = Timestamp::from_ms(1_487_294_987_771);
        assert_eq!(Moment::new(at, now).exact(), "2017-02-17 01:29:47.771 UTC");
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        let cases = [
            (-5, "0 ms"),
            (40, "40 ms"),
            (12_345, "12.3 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (18_120_000, "5 h 2 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(span(ms), expected);
        }
    }

    #[test]
    fn a_number_is_exact() {
        let numbers = [0, 12, 123, 1234, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!(count(1, "job"), "1 job");
        assert_eq!(count(2000, "job"), "2,000 jobs");
        assert_eq!(cut("Größe", 3), "Grö…");
        assert_eq!(shell_quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
