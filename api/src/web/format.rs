//! Times, values and statuses as the page writes them.

use std::borrow::Borrow;

use domain::job::{JobId, Status, Timestamp};
use serde_json::Value;

pub(super) use crate::words::{count, number, rough, span};

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
    fn a_long_text_is_cut() {
        assert_eq!(cut("Größe", 3), "Grö…");
        assert_eq!(shell_quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(cut("Größe", 5), "Größe");
    }
}
